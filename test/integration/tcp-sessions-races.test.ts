import { createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Cancel } from '../../src/core/clock.ts';
import { VaneError } from '../../src/core/errors.ts';
import { watchClient } from '../../src/proxy/tcp/client-watch.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { silentServer } from '../helpers/tcp-silent-server.ts';
import { tcpServer, tcpSite } from '../helpers/tcp-site.ts';
import { Heard, noSocketLeft, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

let silent: Awaited<ReturnType<typeof silentServer>>;
beforeAll(async () => {
  silent = await silentServer();
});
afterAll(() => silent.close());

/** A server that answers every first word with `hi`. */
async function greeter(): Promise<number> {
  const { port } = await bench.listen((socket) => {
    socket.write('hi');
    socket.resume();
    socket.on('end', () => socket.end());
  });
  return port;
}

/**
 * A clock that stands still, and tells when a timer is given up. Each step of a session ends with that, so that a test
 * can do something in the midst of the promises that lead to the next step: so many of them later as `hops` says.
 */
class TellingClock extends FakeClock {
  readonly #told: () => void;
  readonly #hops: number;

  constructor(hops: number, told: () => void) {
    super();
    this.#hops = hops;
    this.#told = told;
  }

  override after(ms: number, fn: () => void): Cancel {
    const cancel = super.after(ms, fn);
    return () => {
      cancel();
      void this.#tell();
    };
  }

  async #tell(): Promise<void> {
    for (let i = 0; i < this.#hops; i++) await undefined;
    this.#told();
  }
}

const HOPS = Array.from({ length: 24 }, (_, i) => i + 1);

describe('between any two steps', () => {
  test.each(HOPS)('a session can be stopped: %i promises after the connection', async (hops) => {
    const left = await noSocketLeft();
    const clock = new TellingClock(hops, () => site.acceptor.cut(STOPPING));
    const site = await tcpSite(bench, { clock, servers: [tcpServer('db-1', await greeter())] });
    const client = await bench.dial(site.port);
    client.resume().on('end', () => client.end());
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]?.termination).toMatch(/^K[CD]$/);
    expect(site.backend.active).toBe(0);
    expect(clock.pending).toBe(0);
    client.end();
    await left();
  });

  test.each(HOPS)('a session can be stopped: %i promises after its server refused', async (hops) => {
    const left = await noSocketLeft();
    const clock = new TellingClock(hops, () => site.acceptor.cut(STOPPING));
    // Port 1 of loopback: nobody listens there. Time stands still, so that no second attempt follows by itself.
    const site = await tcpSite(bench, { clock, servers: [tcpServer('dead', 1)] });
    const client = await bench.dial(site.port);
    client.resume();
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]?.termination).toMatch(/^[KS]C$/);
    expect(site.backend.active).toBe(0);
    expect(clock.pending).toBe(0);
    client.end();
    await left();
  });

  test.each(HOPS)('its server can be removed: %i promises after the connection', async (hops) => {
    const left = await noSocketLeft();
    const other = tcpServer('other', await greeter());
    let removed = false;
    const clock = new TellingClock(hops, () => {
      if (!removed) site.backend.setServers([other]);
      removed = true;
    });
    const site = await tcpSite(bench, { clock, servers: [tcpServer('db-1', await greeter())] });
    const client = await bench.dial(site.port);
    const heard = new Heard(client);
    client.on('end', () => client.end());
    await eventually(() => expect(removed).toBe(true));
    await settle();
    // Either it was connected already, and is cut, or it has not noticed and has the other.
    if (site.backend.active === 1) {
      await eventually(() => expect(heard.text).toBe('hi'));
      client.end();
    }
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(['db-1 DD', 'other --']).toContain(`${site.entries[0]?.server} ${site.entries[0]?.termination}`);
    expect(site.backend.active).toBe(0);
    expect(clock.pending).toBe(0);
    client.destroy();
    await left();
  });

  test.each(HOPS)('a session can be stopped: %i promises after it got its turn', async (hops) => {
    const left = await noSocketLeft();
    let armed = false;
    // Once: to say it again would reach whoever missed it.
    const clock = new TellingClock(hops, () => {
      if (armed) site.acceptor.cut(STOPPING);
      armed = false;
    });
    // It never gets a connection: a stop that is not heard leaves it hanging.
    const site = await tcpSite(bench, { clock, servers: [tcpServer('silent', silent.port, { maxconn: 1 })] });
    const first = await bench.dial(site.port);
    await eventually(() => expect(site.backend.active).toBe(1));
    const second = await bench.dial(site.port);
    second.resume();
    await eventually(() => expect(site.backend.queued).toBe(1));
    armed = true;
    first.destroy();
    await eventually(() => expect(site.entries).toHaveLength(2));
    expect(
      site.entries
        .map(({ termination }) => termination)
        .sort()
        .join(),
    ).toMatch(/^[CK]C,K[CQ]$/);
    expect(site.backend.counters()).toMatchObject({ scur: 0, qcur: 0, servers: [{ scur: 0 }] });
    expect(clock.pending).toBe(0);
    second.end();
    await left();
  });
});

const STOPPING = new VaneError('STOPPING', 'enough');

describe('a client that is watched', () => {
  /** An accepted connection that nobody reads yet. */
  async function unread(): Promise<{ ours: Socket; theirs: Socket; told: string[]; unwatch: Cancel }> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, resolve);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    const theirs = await bench.dial(typeof address === 'object' && address ? address.port : 0);
    const ours = bench.keep(await promise);
    server.close();
    const told: string[] = [];
    const unwatch = watchClient(ours, ({ code, message }) => told.push(`${code}: ${message}`));
    return { ours, theirs, told, unwatch };
  }

  test('is noticed to end, though nobody reads', async () => {
    const { theirs, told } = await unread();
    theirs.end();
    await eventually(() => expect(told).toContain('CLIENT_ABORTED: client closed the connection'));
  });

  test('is noticed to break', async () => {
    const { theirs, told } = await unread();
    theirs.resetAndDestroy();
    await eventually(() =>
      expect(told).toContain('CLIENT_ABORTED: connection to the client broke: read ECONNRESET'),
    );
  });

  test('is noticed when somebody else closes it', async () => {
    const { ours, told } = await unread();
    ours.destroy();
    await eventually(() => expect(told).toHaveLength(1));
  });

  test('keeps what it says, even if it was being read', async () => {
    const { ours, theirs, told, unwatch } = await unread();
    unwatch();
    const heard = new Heard(ours);
    ours.resume();
    watchClient(ours, ({ code }) => told.push(code));
    theirs.end('a request');
    await eventually(() => expect(ours.readableLength).toBe(9));
    await settle();
    expect(heard.bytes).toBe(0);
    expect(told).toEqual([]);
  });

  test('is left alone afterwards', async () => {
    const { ours, theirs, told, unwatch } = await unread();
    const before = ours.eventNames().reduce((sum, name) => sum + ours.listenerCount(name), 0);
    unwatch();
    const after = ours.eventNames().reduce((sum, name) => sum + ours.listenerCount(name), 0);
    expect(before - after).toBe(3);
    theirs.end();
    await eventually(() => expect(ours.readableEnded).toBe(true));
    expect(told).toEqual([]);
  });
});
