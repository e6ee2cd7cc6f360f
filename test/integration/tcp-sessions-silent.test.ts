import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { VaneError } from '../../src/core/errors.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { silentServer } from '../helpers/tcp-silent-server.ts';
import { namedServer, tcpServer, tcpSite } from '../helpers/tcp-site.ts';
import { Heard, noSocketLeft, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

describe('a server that does not answer', () => {
  let silent: Awaited<ReturnType<typeof silentServer>>;
  beforeAll(async () => {
    silent = await silentServer();
  });
  afterAll(() => silent.close());

  test('is passed over when the connection takes too long', async () => {
    const left = await noSocketLeft();
    const { port } = await namedServer(bench, 'b');
    const clock = new FakeClock();
    const servers = [tcpServer('silent', silent.port), tcpServer('alive', port)];
    const site = await tcpSite(bench, { clock, servers });
    const client = await bench.dial(site.port);
    const heard = new Heard(client);
    client.end('x');
    await eventually(() => expect(clock.pending).toBe(1));
    await clock.advanceAsync(5_000);
    await eventually(() => expect(heard).toMatchObject({ text: 'b:x', closed: true }));
    expect(site.trouble).toEqual(['silent CONNECT_TIMEOUT']);
    await eventually(() =>
      expect(site.entries[0]).toMatchObject({ server: 'alive', times: { connect: 5_000, total: 5_000 } }),
    );
    expect(clock.pending).toBe(0);
    await left();
  });

  test.each([
    ['a close', (client: Socket) => client.end()],
    ['a reset', (client: Socket) => client.resetAndDestroy()],
  ])('is given up after %s of the client', async (_, leave) => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const site = await tcpSite(bench, { clock, servers: [tcpServer('silent', silent.port)] });
    const client = await bench.dial(site.port);
    client.resume();
    await eventually(() => expect(site.backend.active).toBe(1));
    leave(client);
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]).toMatchObject({
      termination: 'CC',
      error: { code: 'CLIENT_ABORTED' },
      retries: 0,
    });
    expect(site.backend.counters()).toMatchObject({ cliAbrt: 1, econ: 0, scur: 0, servers: [{ scur: 0 }] });
    expect(site.trouble).toEqual([]);
    expect(clock.pending).toBe(0);
    await left();
  });

  test('is not given up for a client that has asked and only ended its side', async () => {
    const clock = new FakeClock();
    const site = await tcpSite(bench, { clock, servers: [tcpServer('silent', silent.port)] });
    const { port } = await namedServer(bench, 'b');
    const client = await bench.dial(site.port);
    const heard = new Heard(client);
    client.end('question');
    await eventually(() => expect(site.backend.active).toBe(1));
    await settle();
    expect(heard.closed).toBe(false);
    site.backend.setServers([tcpServer('b', port)]);
    await eventually(() => expect(heard).toMatchObject({ text: 'b:question', closed: true }));
  });

  test('and is removed meanwhile is left for another', async () => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const { port } = await namedServer(bench, 'b');
    const site = await tcpSite(bench, {
      clock,
      servers: [tcpServer('silent', silent.port)],
      backend: { redispatch: false },
    });
    const client = await bench.dial(site.port);
    const heard = new Heard(client);
    client.write('x');
    await eventually(() => expect(site.backend.active).toBe(1));
    site.backend.setServers([tcpServer('b', port)]);
    await eventually(() => expect(heard.text).toBe('b:x'));
    client.end();
    await eventually(() =>
      expect(site.entries[0]).toMatchObject({ server: 'b', retries: 1, termination: '--' }),
    );
    expect(clock.pending).toBe(0);
    await left();
  });

  test('is given up when everything is cut', async () => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const site = await tcpSite(bench, { clock, servers: [tcpServer('silent', silent.port)] });
    const client = await bench.dial(site.port);
    const heard = new Heard(client);
    await eventually(() => expect(site.backend.active).toBe(1));
    expect(site.acceptor.cut(new VaneError('STOPPING', 'enough'))).toBe(1);
    await eventually(() => expect(heard.ended).toBe(true));
    await eventually(() => expect(site.entries[0]).toMatchObject({ termination: 'KC', retries: 0 }));
    expect(site.backend.active).toBe(0);
    expect(clock.pending).toBe(0);
    client.end();
    await left();
  });
});
