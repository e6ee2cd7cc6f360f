import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { VaneError } from '../../src/core/errors.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { silentServer } from '../helpers/tcp-silent-server.ts';
import { type TcpSiteOptions, tcpServer, tcpSite } from '../helpers/tcp-site.ts';
import { Heard, noSocketLeft, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

/** A server that takes one connection at a time and says `hi`, with one client on it. */
async function occupied(options: Omit<TcpSiteOptions, 'servers'> = {}) {
  const { port } = await bench.listen((socket) => {
    socket.write('hi');
    socket.resume();
    socket.on('end', () => socket.end());
  });
  const clock = new FakeClock();
  const site = await tcpSite(bench, {
    clock,
    servers: [tcpServer('db-1', port, { maxconn: 1 })],
    ...options,
  });
  const first = await bench.dial(site.port);
  const heard = new Heard(first);
  await eventually(() => expect(heard.text).toBe('hi'));
  return { site, clock, first, port };
}

describe('a session that has to wait', () => {
  test('gets its turn when a place becomes free', async () => {
    const left = await noSocketLeft();
    const { site, clock, first } = await occupied();
    const clients: { socket: Socket; heard: Heard }[] = [];
    for (const queued of [1, 2]) {
      const socket = await bench.dial(site.port);
      clients.push({ socket, heard: new Heard(socket) });
      await eventually(() => expect(site.backend.queued).toBe(queued));
    }
    clock.advance(1_500);
    first.end();
    await eventually(() => expect(clients.map(({ heard }) => heard.text)).toEqual(['hi', '']));
    clients[0]?.socket.end();
    await eventually(() => expect(clients.map(({ heard }) => heard.text)).toEqual(['hi', 'hi']));
    clients[1]?.socket.end();
    await eventually(() => expect(site.entries).toHaveLength(3));
    expect(site.entries.map(({ times, queues }) => [times.queue, queues.backend])).toEqual([
      [0, 0],
      [1_500, 0],
      [1_500, 1],
    ]);
    expect(site.backend.counters()).toMatchObject({
      smax: 3,
      qmax: 2,
      qcur: 0,
      servers: [{ smax: 1, stot: 3 }],
    });
    await left();
  });

  test('twice is logged with both waits, and with what it spent connecting apart from them', async () => {
    const silent = await silentServer();
    try {
      const { port } = await bench.listen((socket) => {
        socket.write('hi');
        socket.on('end', () => socket.end());
        socket.resume();
      });
      const clock = new FakeClock();
      const servers = [
        tcpServer('silent', silent.port, { maxconn: 1 }),
        tcpServer('busy', port, { maxconn: 1 }),
      ];
      const site = await tcpSite(bench, { clock, servers });
      const connecting = await bench.dial(site.port);
      await eventually(() => expect(site.backend.active).toBe(1));
      const talking = await bench.dial(site.port);
      const talk = new Heard(talking);
      await eventually(() => expect(talk.text).toBe('hi'));
      const waiting = await bench.dial(site.port);
      const heard = new Heard(waiting);
      await eventually(() => expect(site.backend.queued).toBe(1));
      await clock.advanceAsync(1_000);
      connecting.destroy();
      await eventually(() => expect(site.backend.queued).toBe(0));
      // Its connection takes too long, and the other server is taken.
      await clock.advanceAsync(5_000);
      await eventually(() => expect(site.backend.queued).toBe(1));
      await clock.advanceAsync(2_000);
      talking.end();
      await eventually(() => expect(heard.text).toBe('hi'));
      waiting.end();
      await eventually(() => expect(site.entries).toHaveLength(3));
      expect(site.entries[2]).toMatchObject({
        server: 'busy',
        retries: 1,
        redispatched: true,
        times: { queue: 3_000, connect: 5_000, total: 8_000 },
      });
    } finally {
      await silent.close();
    }
  });

  test('is closed when it takes too long', async () => {
    const { site, clock } = await occupied();
    const heard = new Heard(await bench.dial(site.port));
    await eventually(() => expect(site.backend.queued).toBe(1));
    await clock.advanceAsync(5_000);
    await eventually(() => expect(heard).toMatchObject({ ended: true, bytes: 0 }));
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]).toMatchObject({
      server: '<NOSRV>',
      termination: 'sQ',
      times: { queue: 5_000, connect: -1, total: 5_000 },
      error: { code: 'QUEUE_TIMEOUT' },
    });
  });

  test('is closed at once when the queue is full', async () => {
    const { site } = await occupied({ backend: { maxqueue: 1 } });
    await bench.dial(site.port);
    await eventually(() => expect(site.backend.queued).toBe(1));
    const heard = new Heard(await bench.dial(site.port));
    await eventually(() => expect(heard).toMatchObject({ ended: true, bytes: 0 }));
    await eventually(() =>
      expect(site.entries[0]).toMatchObject({ termination: 'SQ', error: { code: 'QUEUE_FULL' } }),
    );
  });

  test.each(['end', 'resetAndDestroy'] as const)(
    'gives its place back when its client leaves by %s',
    async (leave) => {
      const { site, clock } = await occupied();
      const client = await bench.dial(site.port);
      client.resume();
      await eventually(() => expect(site.backend.queued).toBe(1));
      client[leave]();
      await eventually(() => expect(site.backend.queued).toBe(0));
      await eventually(() => expect(site.entries).toHaveLength(1));
      expect(site.entries[0]).toMatchObject({ termination: 'CQ', server: '<NOSRV>' });
      expect(site.backend.counters()).toMatchObject({ cliAbrt: 1, servers: [{ cliAbrt: 0 }] });
      // Only the relay of the first client is timed.
      expect(clock.pending).toBe(1);
    },
  );

  test('is closed when everything is cut', async () => {
    const left = await noSocketLeft();
    const { site, clock, first } = await occupied();
    first.on('end', () => first.end());
    const client = await bench.dial(site.port);
    const heard = new Heard(client);
    await eventually(() => expect(site.backend.queued).toBe(1));
    expect(site.acceptor.cut(new VaneError('STOPPING', 'enough'))).toBe(2);
    await eventually(() => expect(heard.ended).toBe(true));
    await eventually(() =>
      expect(site.entries.map(({ termination }) => termination).sort()).toEqual(['KD', 'KQ']),
    );
    expect(site.backend.counters()).toMatchObject({ scur: 0, qcur: 0, servers: [{ scur: 0 }] });
    expect(clock.pending).toBe(0);
    client.end();
    await left();
  });

  test('never takes a place that became free as its client left', async () => {
    const { site, first } = await occupied();
    const client = await bench.dial(site.port);
    await eventually(() => expect(site.backend.queued).toBe(1));
    client.resetAndDestroy();
    first.destroy();
    await eventually(() => expect(site.entries).toHaveLength(2));
    expect(site.backend.counters()).toMatchObject({ scur: 0, qcur: 0, servers: [{ scur: 0 }] });
    // The place is free: the next client is served at once.
    const heard = new Heard(await bench.dial(site.port));
    await eventually(() => expect(heard.text).toBe('hi'));
  });
});

describe('work under way', () => {
  test('is cut when its server is removed', async () => {
    const left = await noSocketLeft();
    const { site, clock, first } = await occupied();
    const heard = new Heard(first);
    site.backend.setServers([]);
    await eventually(() => expect(heard).toMatchObject({ ended: true, error: undefined }));
    first.end();
    await eventually(() => expect(site.entries).toHaveLength(1));
    expect(site.entries[0]).toMatchObject({
      server: 'db-1',
      bytesRead: 2,
      termination: 'DD',
      error: { code: 'SERVER_REMOVED' },
      retries: 0,
    });
    expect(clock.pending).toBe(0);
    await left();
  });

  test('goes on while its server drains', async () => {
    const { site, first, port } = await occupied();
    const heard = new Heard(first);
    site.backend.setServers([tcpServer('db-1', port, { admission: 'draining' })]);
    site.acceptor.drain();
    first.end('the rest');
    await eventually(() => expect(heard).toMatchObject({ ended: true, error: undefined }));
    await eventually(() => expect(site.entries[0]).toMatchObject({ termination: '--', bytesUploaded: 8 }));
  });

  test.each([
    ['client', 'CD', { cliAbrt: 1, eresp: 0, srvAbrt: 0 }],
    ['server', 'SD', { cliAbrt: 0, eresp: 1, srvAbrt: 1 }],
  ] as const)('that the %s breaks off is told apart', async (side, termination, counted) => {
    const left = await noSocketLeft();
    const { promise: arrived, resolve } = Promise.withResolvers<Socket>();
    const { port } = await bench.listen(resolve);
    const site = await tcpSite(bench, { servers: [tcpServer('db-1', port)] });
    const client = await bench.dial(site.port);
    const server = await arrived;
    const ends = { client, server };
    const heard = new Heard(side === 'client' ? server : client);
    ends[side].write('half');
    await eventually(() => expect(heard.text).toBe('half'));
    ends[side].resetAndDestroy();
    await eventually(() => expect(heard.error).toBe('ECONNRESET'));
    await eventually(() => expect(site.entries[0]).toMatchObject({ termination }));
    expect(site.backend.counters()).toMatchObject({ ...counted, scur: 0, servers: [counted] });
    expect(site.trouble).toEqual(side === 'server' ? ['db-1 UPSTREAM_CLOSED'] : []);
    await left();
  });

  test('of many clients at once comes to its end, whatever they do', async () => {
    const left = await noSocketLeft();
    const { site, first } = await occupied({ backend: { maxqueue: 100 } });
    const clients = await Promise.all(Array.from({ length: 40 }, () => bench.dial(site.port)));
    await eventually(() => expect(site.backend.queued).toBe(40));
    for (const [i, client] of clients.entries()) {
      client.resume();
      if (i % 4 === 0) client.resetAndDestroy();
      else if (i % 4 === 1) client.destroy();
      else if (i % 4 === 2) client.end('request');
      else client.end();
    }
    first.end();
    await eventually(() => expect(site.entries).toHaveLength(41));
    expect(site.backend.counters()).toMatchObject({ scur: 0, qcur: 0, servers: [{ scur: 0 }] });
    await eventually(() => expect(site.frontend.tally.sessions.scur).toBe(0));
    await left();
  });
});
