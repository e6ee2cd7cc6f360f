import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { VaneError } from '../../src/core/errors.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { frontendConfig, namedServer, tcpServer, tcpSite } from '../helpers/tcp-site.ts';
import { Heard, noSocketLeft, sendMuch, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

/** Ports of loopback where nobody listens. */
const CLOSED = 1;
const CLOSED_TOO = 2;

/** Sends, ends, and returns all that came back. */
async function ask(port: number, text: string): Promise<Heard> {
  const socket = await bench.dial(port);
  const heard = new Heard(socket);
  socket.end(text);
  await eventually(() => expect(heard.closed).toBe(true));
  return heard;
}

describe('a session', () => {
  test('goes to a server and back, and is counted and logged', async () => {
    const left = await noSocketLeft();
    const { port } = await namedServer(bench, 'a');
    const site = await tcpSite(bench, { servers: [tcpServer('db-1', port)] });
    expect(await ask(site.port, 'hello')).toMatchObject({ text: 'a:hello', error: undefined });
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]).toMatchObject({
      mode: 'tcp',
      format: 'haproxy',
      client: { address: '127.0.0.1', localAddress: '127.0.0.1', localPort: site.port },
      frontend: 'front',
      backend: 'db',
      server: 'db-1',
      serverId: `127.0.0.1:${port}`,
      bytesRead: 7,
      bytesUploaded: 5,
      termination: '--',
      connections: { process: 1, frontend: 1, backend: 1, server: 1 },
      retries: 0,
      redispatched: false,
      queues: { server: 0, backend: 0 },
      error: undefined,
      times: { queue: 0, connect: expect.any(Number), total: expect.any(Number) },
    });
    expect(site.frontend.counters(0)).toMatchObject({ stot: 1, connTot: 1, bin: 5, bout: 7 });
    const counted = { scur: 0, smax: 1, stot: 1, lbtot: 1, bin: 5, bout: 7, connect: 1, econ: 0, cliAbrt: 0 };
    expect(site.backend.counters()).toMatchObject({ ...counted, servers: [counted] });
    expect(site.trouble).toEqual([]);
    await eventually(() => expect(site.frontend.tally.sessions.scur).toBe(0));
    expect(site.acceptor.cut(new VaneError('STOPPING', 'none left'))).toBe(0);
    await left();
  });

  test('keeps what the client says before the server is there', async () => {
    const silent: Socket[] = [];
    const { port } = await bench.listen((socket) => silent.push(socket));
    const clock = new FakeClock();
    const site = await tcpSite(bench, { clock, servers: [tcpServer('db-1', port, { maxconn: 1 })] });
    const first = await bench.dial(site.port);
    await eventually(() => expect(silent).toHaveLength(1));
    const second = await bench.dial(site.port);
    await eventually(() => expect(site.backend.queued).toBe(1));
    const sending = sendMuch(second, 5_000_000);
    await eventually(() => expect(second.writableNeedDrain).toBe(true));
    first.destroy();
    silent[0]?.end();
    await eventually(() => expect(silent).toHaveLength(2));
    const heard = silent[1] && new Heard(silent[1]);
    const digest = await sending;
    second.end();
    await eventually(() => expect(heard).toMatchObject({ bytes: 5_000_000, ended: true }));
    expect(heard?.digest).toBe(digest);
    silent[1]?.end();
    await eventually(() => expect(site.entries.map((entry) => entry.termination)).toEqual(['--', '--']));
    expect(clock.pending).toBe(0);
  });

  test('is logged in the format asked for, or not at all', async () => {
    const { port } = await namedServer(bench, 'a');
    const servers = [tcpServer('db-1', port)];
    const options = (accessLog: 'off' | 'json') => ({
      options: { forwardfor: false, accessLog, httpLane: 'direct' as const, maxConcurrentStreams: 100 },
    });
    const quiet = await tcpSite(bench, { servers, frontend: options('off') });
    const json = await tcpSite(bench, { servers, frontend: options('json') });
    await ask(quiet.port, 'x');
    await ask(json.port, 'x');
    await eventually(() => expect(json.entries.map((entry) => entry.format)).toEqual(['json']));
    await eventually(() => expect(quiet.backend.active).toBe(0));
    expect(quiet.entries).toEqual([]);
  });

  test('goes to the backend that the rules name, as they are at its beginning', async () => {
    const { port } = await namedServer(bench, 'a');
    const site = await tcpSite(bench, {
      servers: [tcpServer('db-1', port)],
      frontend: { defaultBackend: undefined },
    });
    expect(await ask(site.port, 'x')).toMatchObject({ text: '' });
    const src = {
      fetch: { kind: 'src' },
      match: 'ip',
      ignoreCase: false,
      patterns: ['127.0.0.0/8'],
    } as const;
    const condition = { unless: false, anyOf: [[{ negated: false, tests: [src] }]] };
    site.acceptor.update(
      frontendConfig({ defaultBackend: undefined, useBackend: [{ backend: 'db', condition }] }),
    );
    expect(await ask(site.port, 'x')).toMatchObject({ text: 'a:x' });
    site.acceptor.update(frontendConfig({ defaultBackend: 'unknown' }));
    expect(await ask(site.port, 'x')).toMatchObject({ text: '' });
    await eventually(() =>
      expect(site.entries.map(({ backend, termination }) => `${backend} ${termination}`)).toEqual([
        'front SC',
        'db --',
        'front SC',
      ]),
    );
  });

  test('ends when nothing moves for longer than the tunnel timeout of the backend, else of the frontend', async () => {
    const accepted: Socket[] = [];
    const { port } = await bench.listen((socket) => accepted.push(socket));
    const clock = new FakeClock();
    const timeout = { connect: 5_000, server: 30_000, queue: 5_000, tunnel: 7_000, check: undefined };
    const frontend = { timeout: { client: 1, httpRequest: 1, httpKeepAlive: 1, tunnel: 9_000 } };
    const servers = [tcpServer('db-1', port)];
    const own = await tcpSite(bench, { clock, servers, frontend, backend: { timeout } });
    const fallen = await tcpSite(bench, {
      clock,
      servers,
      frontend,
      backend: { timeout: { ...timeout, tunnel: 0 } },
    });
    const clients = [new Heard(await bench.dial(own.port)), new Heard(await bench.dial(fallen.port))];
    await eventually(() => expect(accepted).toHaveLength(2));
    // The timers of the relays: the connections' own are over.
    await eventually(() => expect(clock.pending).toBe(2));
    await settle();
    await clock.advanceAsync(7_000);
    await eventually(() => expect(clients.map((each) => each.ended)).toEqual([true, false]));
    await clock.advanceAsync(2_000);
    await eventually(() => expect(clients.map((each) => each.ended)).toEqual([true, true]));
    expect(clients.map((each) => each.error)).toEqual([undefined, undefined]);
    expect([...own.entries, ...fallen.entries].map((entry) => entry.termination)).toEqual(['cD', 'cD']);
    expect(clock.pending).toBe(0);
  });

  test('that finds no server is closed', async () => {
    const left = await noSocketLeft();
    const site = await tcpSite(bench, { servers: [] });
    const heard = await ask(site.port, 'x');
    expect(heard).toMatchObject({ text: '', bytes: 0 });
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]).toMatchObject({
      backend: 'db',
      server: '<NOSRV>',
      serverId: undefined,
      termination: 'SC',
      times: { queue: -1, connect: -1 },
      connections: { backend: 1, server: 0 },
      error: { code: 'NO_SERVER' },
    });
    expect(site.backend.counters()).toMatchObject({ noServer: 1, scur: 0, stot: 1 });
    await left();
  });
});

describe('a server that cannot be connected to', () => {
  test('is passed over for another at once', async () => {
    const { port } = await namedServer(bench, 'b');
    const clock = new FakeClock();
    const servers = [tcpServer('dead', CLOSED), tcpServer('alive', port)];
    const site = await tcpSite(bench, { clock, servers });
    expect(await ask(site.port, 'x')).toMatchObject({ text: 'b:x' });
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]).toMatchObject({
      server: 'alive',
      retries: 1,
      redispatched: true,
      termination: '--',
    });
    expect(site.trouble).toEqual(['dead CONNECT_REFUSED']);
    const { servers: counters, ...backend } = site.backend.counters();
    expect(backend).toMatchObject({ econ: 0, wredis: 1, wretr: 0, connect: 2, stot: 1 });
    expect(counters).toMatchObject([
      { connect: 1, wredis: 1, stot: 1, scur: 0 },
      { connect: 1, wredis: 0, stot: 1, scur: 0 },
    ]);
    expect(clock.pending).toBe(0);
  });

  test('is tried again after a second when there is no other', async () => {
    const clock = new FakeClock();
    const site = await tcpSite(bench, {
      clock,
      servers: [tcpServer('dead', CLOSED)],
      backend: { retries: 2 },
    });
    const client = new Heard(await bench.dial(site.port));
    for (const failed of [1, 2]) {
      // Waiting: the only timer is that of the pause.
      await eventually(() => {
        expect(site.backend.counters().wretr).toBe(failed);
        expect(clock.pending).toBe(1);
      });
      await clock.advanceAsync(999);
      expect(site.backend.counters().wretr).toBe(failed);
      await clock.advanceAsync(1);
    }
    await eventually(() => expect(client).toMatchObject({ ended: true, bytes: 0 }));
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]).toMatchObject({
      server: 'dead',
      retries: 2,
      redispatched: false,
      termination: 'SC',
      times: { queue: 0, connect: -1, total: 2_000 },
      error: { code: 'CONNECT_REFUSED' },
    });
    expect(site.backend.counters()).toMatchObject({ econ: 1, connect: 3, wretr: 2, wredis: 0, cliAbrt: 0 });
    expect(clock.pending).toBe(0);
  });

  test.each([
    ['as long as a connection may take', 300, 300],
    ['for a second at most', 5_000, 1_000],
    ['for a second when connections may take for ever', 0, 1_000],
  ])('is given %s before it is tried again', async (_, connect, pause) => {
    const clock = new FakeClock();
    const timeout = { connect, server: 30_000, queue: 5_000, tunnel: 0, check: undefined };
    const servers = [tcpServer('dead', CLOSED)];
    const site = await tcpSite(bench, { clock, servers, backend: { retries: 1, timeout } });
    const client = new Heard(await bench.dial(site.port));
    await eventually(() => expect([site.backend.counters().wretr, clock.pending]).toEqual([1, 1]));
    await clock.advanceAsync(pause - 1);
    expect([site.backend.counters().connect, clock.pending]).toEqual([1, 1]);
    await clock.advanceAsync(1);
    await eventually(() => expect(client.ended).toBe(true));
    expect(site.backend.counters()).toMatchObject({ connect: 2, econ: 1 });
  });

  test('is stayed on without redispatch, though there is another', async () => {
    const clock = new FakeClock();
    const { port, sockets } = await namedServer(bench, 'b');
    const servers = [tcpServer('dead', CLOSED), tcpServer('alive', port)];
    const site = await tcpSite(bench, { clock, servers, backend: { retries: 1, redispatch: false } });
    const client = new Heard(await bench.dial(site.port));
    await eventually(() => expect([site.backend.counters().wretr, clock.pending]).toEqual([1, 1]));
    await clock.advanceAsync(1_000);
    await eventually(() => expect(client.ended).toBe(true));
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]).toMatchObject({
      server: 'dead',
      retries: 1,
      redispatched: false,
      termination: 'SC',
    });
    expect(sockets).toHaveLength(0);
  });

  test('is not the end of the attempts while another has not been tried', async () => {
    const { port } = await namedServer(bench, 'c');
    const servers = [tcpServer('dead', CLOSED), tcpServer('dead too', CLOSED_TOO), tcpServer('alive', port)];
    const clock = new FakeClock();
    const site = await tcpSite(bench, { clock, servers });
    expect(await ask(site.port, 'x')).toMatchObject({ text: 'c:x' });
    await eventually(() => expect(site.entries[0]).toMatchObject({ server: 'alive', retries: 2 }));
  });

  test('ends the session when no retry is allowed', async () => {
    const { port } = await namedServer(bench, 'b');
    const servers = [tcpServer('dead', CLOSED), tcpServer('alive', port)];
    const site = await tcpSite(bench, { servers, backend: { retries: 0 } });
    expect(await ask(site.port, 'x')).toMatchObject({ text: '' });
    await eventually(() => expect(site.entries[0]).toMatchObject({ termination: 'SC', retries: 0 }));
  });

  test('and is removed while the session waits leaves it without a server', async () => {
    const clock = new FakeClock();
    const site = await tcpSite(bench, { clock, servers: [tcpServer('dead', CLOSED)] });
    const client = new Heard(await bench.dial(site.port));
    await eventually(() => expect([site.backend.counters().wretr, clock.pending]).toEqual([1, 1]));
    site.backend.setServers([]);
    await clock.advanceAsync(1_000);
    await eventually(() => expect(client.ended).toBe(true));
    await eventually(() =>
      expect(site.entries[0]).toMatchObject({ termination: 'SC', error: { code: 'NO_SERVER' } }),
    );
  });
});
