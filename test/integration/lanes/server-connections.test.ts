import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import type { RawClient, RawOrigin } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const get = (path = '/') => `GET ${path} HTTP/1.1\r\nHost: w\r\n\r\n`;

describeLanes('connections to servers', (kind) => {
  test.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 1],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 1],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok', 1],
    ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 2],
    ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok', 2],
  ])('a server that answers %j gets two requests over %i connections', async (text, connections) => {
    const { client, origin } = await startRig(kind);
    origin.answers(text);
    const c = await client();
    for (let i = 0; i < 2; i++) {
      c.send(get());
      expect((await c.answer()).body).toBe('ok');
    }
    expect(origin.connections).toHaveLength(connections);
  });

  test('a fresh connection is made where one is asked for', async () => {
    const { client, origin, host } = await startRig(kind);
    host.fresh = true;
    const c = await client();
    for (let i = 0; i < 3; i++) {
      c.send(get());
      await c.answer();
    }
    expect(origin.connections).toHaveLength(3);
    expect(host.outcomes.map(({ reused }) => reused)).toEqual([false, false, false]);
  });

  test('a connection is given back with nothing of its last request left to write', async () => {
    const { client, origin, host } = await startRig(kind);
    const left: Promise<number>[] = [];
    host.onExchange = (exchange) => {
      void host.forward(exchange, {
        takeIdle: () => undefined,
        connect: (timeout, signal) => host.connections.connect(timeout, signal),
        giveBack: (socket) => {
          const before = socket.bytesWritten;
          left.push(nextTurn().then(() => socket.bytesWritten - before));
        },
      });
    };
    // Whether the end of the request is read before the answer is for the system to say: mostly it is.
    for (let i = 0; i < 10; i++) {
      const c = await client();
      c.send('POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n');
      const { send } = await eventually(() => {
        const connection = origin.connections[i];
        if (!connection?.pending().endsWith('he\r\n')) throw new Error('nothing has come');
        return connection;
      });
      c.send('0\r\n\r\n');
      send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      expect((await c.answer()).body).toBe('ok');
    }
    expect(new Set(await Promise.all(left))).toEqual(new Set([0]));
  });

  test('a server that closes an idle connection just when it is used has been sent what is told', async () => {
    const { client, origin, host, given } = await startRig(kind);
    const c = await client();
    for (let i = 0; i < 10; i++) {
      c.send(get());
      await c.answer();
      const [used, connection] = [given.at(-1), origin.connections.at(-1)];
      const before = used?.bytesWritten ?? 0;
      // Which of both is read first is for the system to say.
      c.send('POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n');
      connection?.socket.end();
      await c.answer();
      const outcome = host.outcomes.at(-1);
      if (outcome?.reused) expect(outcome.nothingSent).toBe(used?.bytesWritten === before);
    }
  });

  test('requests that must not be sent twice only go over connections that were just good', async () => {
    const { client, host, given } = await startRig(kind);
    const asked: (number | undefined)[] = [];
    host.onExchange = (exchange) => {
      void host.forward(exchange, {
        takeIdle: (within) => {
          asked.push(within);
          return undefined;
        },
        connect: (timeout, signal) => host.connections.connect(timeout, signal),
        giveBack: (socket) => host.connections.giveBack(socket),
      });
    };
    const c = await client();
    c.send(get());
    await c.answer();
    c.send('POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n');
    await c.answer();
    c.send('GET / HTTP/1.1\r\nHost: w\r\nContent-Length: 1\r\n\r\na');
    await c.answer();
    expect(asked).toEqual([undefined, 500, 500]);
    expect(given).toHaveLength(3);
  });

  test('a client slow to take its answer does not hold the server’s connection, nor harm who has it next', async () => {
    const { client, origin, host, sockets, server } = await startRig(kind);
    const slow = await client();
    await answerMoreThanTaken(slow, origin, sockets);
    origin.connections[0]?.send('0\r\n\r\n');
    await eventually(() => expect(server.counters().idleConnections).toBe(1));
    expect(host.outcomes).toEqual([]);
    origin.onRequest = () => {};
    const next = await client();
    next.send(get('/next'));
    await eventually(() => expect(origin.requests).toHaveLength(2));
    slow.socket.resetAndDestroy();
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: { code: 'CLIENT_ABORTED' } }]));
    expect(origin.connections).toHaveLength(1);
    origin.connections[0]?.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect((await next.answer()).body).toBe('ok');
  });

  test('what a server says behind its answer while the client is still taking it spoils the connection', async () => {
    const { client, origin, host, sockets, given } = await startRig(kind);
    const slow = await client();
    await answerMoreThanTaken(slow, origin, sockets);
    // The client is full, and the server’s answer whole, before the rest comes.
    const read = given[0]?.bytesRead ?? 0;
    origin.connections[0]?.send(`${(60_000).toString(16)}\r\n${'z'.repeat(60_000)}\r\n0\r\n\r\n`);
    await eventually(() => expect(given[0]?.bytesRead).toBeGreaterThan(read + 60_000));
    origin.connections[0]?.send('HTTP/1.1 200 OK\r\n');
    slow.socket.resume();
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: undefined }]));
    origin.answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const next = await client();
    next.send(get());
    expect((await next.answer()).body).toBe('ok');
    expect(origin.connections).toHaveLength(2);
  });
});

/** Has the server answer, in chunks, just more than the client and the systems between them take. */
async function answerMoreThanTaken(client: RawClient, origin: RawOrigin, sockets: readonly Socket[]) {
  origin.answers('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  client.socket.pause();
  client.send(get());
  await eventually(() => expect(origin.requests).toHaveLength(1));
  const chunk = `4000\r\n${'y'.repeat(16_384)}\r\n`;
  await eventually(() => {
    if (sockets[0]?.writableLength === 0) origin.connections[0]?.send(chunk);
    expect(sockets[0]?.writableLength).toBeGreaterThan(0);
  }, 20_000);
}
