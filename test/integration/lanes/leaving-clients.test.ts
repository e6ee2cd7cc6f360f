import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { describeLanes, noConnections, startRig } from './lane-rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: w\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\n';
const LONG = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';

describeLanes('clients that leave', (kind) => {
  test('while their request waits for a server', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = () => {};
    const c = await client();
    c.send(GET);
    await eventually(() => expect(host.exchanges).toHaveLength(1));
    c.socket.resetAndDestroy();
    await eventually(() => expect(host.aborts).toHaveLength(1));
    expect(host.aborts).toMatchObject([{ code: 'CLIENT_ABORTED' }]);
    const [exchange] = host.exchanges;
    expect(exchange?.aborted).toBe(host.aborts[0]);
    // Whoever had not noticed yet does no harm.
    exchange?.respond({ status: 503, headers: [], body: '', close: true });
    if (exchange)
      expect(await host.forward(exchange)).toMatchObject({ error: host.aborts[0], nothingSent: true });
    expect(host.refusals).toEqual([]);
  });

  test('while the connection to the server is being made', async () => {
    const { client, host } = await startRig(kind);
    let signal: AbortSignal | undefined;
    host.onExchange = (exchange) => {
      const connect = (_timeout: number, given: AbortSignal) => {
        signal = given;
        return new Promise<never>((_resolve, reject) => {
          given.addEventListener('abort', () => reject(given.reason));
        });
      };
      void host.forward(exchange, { ...noConnections, connect });
    };
    const c = await client();
    c.send(GET);
    await eventually(() => expect(signal).toBeDefined());
    c.socket.resetAndDestroy();
    await eventually(() => expect(host.outcomes).toHaveLength(1));
    expect(signal?.reason).toMatchObject({ code: 'CLIENT_ABORTED' });
    expect(host.outcomes).toMatchObject([
      { error: { code: 'CLIENT_ABORTED' }, phase: 'connect', nothingSent: true },
    ]);
  });

  test('while a connection is being made, and it is made all the same: it is closed', async () => {
    const { client, host, server, origin } = await startRig(kind);
    let go = () => {};
    host.onExchange = (exchange) => {
      const connect = async (timeout: number) => {
        await new Promise<void>((resolve) => {
          go = resolve;
        });
        return host.connections.connect(timeout, new AbortController().signal);
      };
      void host.forward(exchange, { ...noConnections, connect });
    };
    const c = await client();
    c.send(GET);
    await eventually(() => expect(host.exchanges).toHaveLength(1));
    c.socket.resetAndDestroy();
    await eventually(() => expect(host.outcomes).toHaveLength(1));
    go();
    await eventually(() => expect(origin.connections).toHaveLength(1));
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
    expect(server.counters().usedConnections).toBe(0);
    expect(origin.requests).toEqual([]);
  });

  test.each(['end', 'reset'] as const)('within the body, by %s', async (how) => {
    const { client, origin, host } = await startRig(kind);
    const c = await client();
    c.send(`${POST}ab`);
    await eventually(() => expect(origin.connections[0]?.pending()).toContain('ab'));
    if (how === 'end') c.socket.end();
    else c.socket.resetAndDestroy();
    await eventually(() => expect(host.outcomes).toHaveLength(1));
    expect(host.outcomes).toMatchObject([
      { error: { code: 'CLIENT_ABORTED' }, phase: 'request', responseStarted: false, replayable: false },
    ]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
    await eventually(() => expect(c.closed).toBe(true));
    expect(origin.requests).toEqual([]);
    expect(host.refusals).toEqual([]);
  });

  test('while the server thinks', async () => {
    const { client, origin, host, server } = await startRig(kind);
    origin.onRequest = () => {};
    const c = await client();
    c.send(GET);
    await eventually(() => expect(origin.requests).toHaveLength(1));
    c.socket.resetAndDestroy();
    await eventually(() => expect(host.outcomes).toHaveLength(1));
    expect(host.outcomes).toMatchObject([
      { error: { code: 'CLIENT_ABORTED' }, phase: 'headers', responseStarted: false },
    ]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
    expect(server.counters().idleConnections).toBe(0);
  });

  test.each(['reset', 'close'] as const)('in the middle of the answer, by %s', async (how) => {
    const { client, origin, host } = await startRig(kind);
    origin.answers(LONG);
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toContain('half'));
    if (how === 'reset') c.socket.resetAndDestroy();
    else {
      c.socket.destroy();
      // A client that has closed for good is noticed when it is written to.
      origin.connections[0]?.send('more');
      await eventually(() => {
        origin.connections[0]?.send('m');
        expect(host.outcomes).toHaveLength(1);
      });
    }
    await eventually(() => expect(host.outcomes).toHaveLength(1));
    expect(host.outcomes).toMatchObject([
      { error: { code: 'CLIENT_ABORTED' }, phase: 'data', status: 200, responseStarted: true },
    ]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
  });
});
