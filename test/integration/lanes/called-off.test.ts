import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import { describeLanes, noConnections, startRig } from './lane-rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: w\r\n\r\n';
const LONG = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';
const CHUNKS = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';

describeLanes('work that is called off', (kind) => {
  const reason = new VaneError('SERVER_REMOVED', 'gone');

  test('before the answer: it can be tried elsewhere', async () => {
    const { client, origin, host } = await startRig(kind);
    origin.onRequest = () => {};
    host.onExchange = async (exchange) => {
      await host.forward(exchange);
      origin.answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      await host.forward(exchange);
    };
    const c = await client();
    c.send(GET);
    await eventually(() => expect(origin.requests).toHaveLength(1));
    host.attempts[0]?.cancel?.(reason);
    expect((await c.answer()).body).toBe('ok');
    expect(host.outcomes).toMatchObject([
      { error: reason, responseStarted: false, replayable: true },
      { error: undefined },
    ]);
    expect(host.attempts.map(({ cancel }) => cancel)).toEqual([undefined, undefined]);
  });

  test('in the middle of the answer: the client sees it broken', async () => {
    const { client, origin, host } = await startRig(kind);
    origin.answers(CHUNKS);
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toContain('half'));
    host.attempts[0]?.cancel?.(reason);
    await c.cut();
    expect(host.outcomes).toMatchObject([{ error: reason, responseStarted: true }]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
  });

  test('while the connection is being made', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = (exchange) => {
      const connect = (_timeout: number, signal: AbortSignal) =>
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      void host.forward(exchange, { ...noConnections, connect });
    };
    const c = await client();
    c.send(GET);
    await eventually(() => expect(host.attempts).toHaveLength(1));
    host.attempts[0]?.cancel?.(reason);
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: reason, nothingSent: true }]));
  });

  test('with the whole lane: every exchange is told, every connection cut', async () => {
    const { client, origin, host, lane } = await startRig(kind);
    const stop = new VaneError('STOPPING', 'stop');
    const idle = await client();
    idle.send(GET);
    await idle.answer();
    origin.answers(LONG);
    const midway = await client();
    midway.send(GET);
    await eventually(() => expect(midway.received).toContain('half'));
    host.onExchange = () => {};
    const waiting = await client();
    waiting.send(GET);
    await eventually(() => expect(host.exchanges).toHaveLength(3));
    lane.destroy(stop);
    for (const c of [idle, midway, waiting]) await c.cut();
    expect(host.aborts).toEqual([stop, stop]);
    expect(host.outcomes).toMatchObject([{ error: undefined }, { error: stop, responseStarted: true }]);
    expect(host.refusals).toEqual([]);
  });

  test('by the host, in the middle of an answer', async () => {
    const { client, origin, host } = await startRig(kind);
    origin.answers(LONG);
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toContain('half'));
    host.exchanges[0]?.destroy(reason);
    await c.cut();
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: reason }]));
    expect(host.aborts).toEqual([]);
  });
});
