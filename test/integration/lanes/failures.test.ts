import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: w\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\n';
const LONG = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';
const CHUNKS = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';
const OPEN = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf';

describeLanes('servers that fail', (create) => {
  test.each(['end', 'reset'] as const)('before it answers, by %s: 502', async (how) => {
    const { client, origin, host } = await startRig(create);
    origin.onRequest = ({ socket }) => (how === 'end' ? socket.end() : socket.resetAndDestroy());
    const c = await client();
    c.send(GET);
    expect((await c.answer()).line).toBe('HTTP/1.1 502 Bad Gateway');
    expect(host.outcomes).toMatchObject([
      {
        error: { code: 'UPSTREAM_CLOSED' },
        phase: 'headers',
        status: undefined,
        responseStarted: false,
        nothingSent: false,
        replayable: true,
        bytesFromServer: 0,
        headersMs: undefined,
      },
    ]);
    // The client's own connection is sound.
    origin.answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    c.send(GET);
    expect((await c.answer()).body).toBe('ok');
  });

  test('within the head of its answer: 502', async () => {
    const { client, origin, host } = await startRig(create);
    origin.onRequest = ({ send, socket }) => {
      send('HTTP/1.1 200 OK\r\nConte');
      socket.end();
    };
    const c = await client();
    c.send(GET);
    expect((await c.answer()).line).toBe('HTTP/1.1 502 Bad Gateway');
    expect(host.outcomes).toMatchObject([{ error: { code: 'UPSTREAM_CLOSED' }, bytesFromServer: 22 }]);
  });

  test('while the client sends the body: 502, and the connection is closed', async () => {
    const { client, origin, host } = await startRig(create);
    origin.onHead = ({ socket }) => socket.resetAndDestroy();
    const c = await client();
    c.send(`${POST}ab`);
    expect((await c.answer()).line).toBe('HTTP/1.1 502 Bad Gateway');
    expect(host.outcomes).toMatchObject([
      { error: { code: 'UPSTREAM_CLOSED' }, phase: 'request', responseStarted: false },
    ]);
    c.send('cdeGET / HTTP/1.1\r\n\r\n');
    await c.gone();
    expect(host.exchanges).toHaveLength(1);
  });

  test.each([
    ['length', 'end', LONG],
    ['length', 'reset', LONG],
    ['chunks', 'end', CHUNKS],
    ['chunks', 'reset', CHUNKS],
    ['chunks', 'a bad chunk', CHUNKS],
    ['open end', 'reset', OPEN],
  ])('in the middle of an answer (%s, by %s): the client sees it broken', async (_framing, how, text) => {
    const { client, origin, host, server } = await startRig(create);
    origin.answers(text);
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toContain('half'));
    const [connection] = origin.connections;
    if (how === 'end') connection?.socket.end();
    if (how === 'reset') connection?.socket.resetAndDestroy();
    if (how === 'a bad chunk') connection?.send('zz\r\n');
    await eventually(() => expect(c.closed).toBe(true));
    expect(c.error).toBe('ECONNRESET');
    expect(c.ended).toBe(false);
    expect(host.outcomes).toMatchObject([
      {
        error: { code: how === 'a bad chunk' ? 'UPSTREAM_PROTOCOL' : 'UPSTREAM_CLOSED' },
        phase: 'data',
        status: 200,
        responseStarted: true,
      },
    ]);
    expect(server.counters()).toMatchObject({ idleConnections: 0, usedConnections: 0 });
  });

  test('clients of HTTP/1.0 see an answer broken off too', async () => {
    const { client, origin, host } = await startRig(create);
    origin.answers(CHUNKS);
    const c = await client();
    c.send('GET / HTTP/1.0\r\n\r\n');
    await eventually(() => expect(c.received).toContain('half'));
    origin.connections[0]?.socket.destroy();
    await eventually(() => expect(c.closed).toBe(true));
    expect(c.error).toBe('ECONNRESET');
    expect(host.outcomes).toMatchObject([{ error: { code: 'UPSTREAM_CLOSED' }, responseStarted: true }]);
  });

  test('an idle connection that the server has closed is not used', async () => {
    const { client, origin, server } = await startRig(create);
    const c = await client();
    c.send(GET);
    await c.answer();
    await eventually(() => expect(server.counters().idleConnections).toBe(1));
    origin.connections[0]?.socket.end();
    await eventually(() => expect(server.counters().idleConnections).toBe(0));
    c.send(GET);
    expect((await c.answer()).body).toBe('ok');
  });

  test('a server that is not there: nothing was sent, and the request can be tried elsewhere', async () => {
    const { client, origin, host } = await startRig(create);
    host.onExchange = async (exchange) => {
      const nowhere = new VaneError('CONNECT_REFUSED', 'nobody there');
      const refusing = { ...noConnections, connect: () => Promise.reject(nowhere) };
      for (let i = 0; i < 50; i++) await host.forward(exchange, refusing);
      await host.forward(exchange);
    };
    const c = await client();
    c.send(`${POST}abcde`);
    expect((await c.answer()).body).toBe('ok');
    expect(origin.requests[0]?.body).toBe('abcde');
    expect(host.outcomes).toHaveLength(51);
    expect(host.outcomes[0]).toMatchObject({
      error: { code: 'CONNECT_REFUSED' },
      phase: 'connect',
      responseStarted: false,
      nothingSent: true,
      replayable: true,
      reused: false,
      connectMs: undefined,
      bytesToServer: 0,
    });
    expect(host.outcomes[50]).toMatchObject({ error: undefined, replayable: false });
  });

  test('a request without a body is tried again after a server that died on it', async () => {
    const { client, origin, host } = await startRig(create);
    let deaths = 0;
    origin.onRequest = ({ socket, send }) => {
      if (deaths++ < 20) socket.resetAndDestroy();
      else send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    };
    host.onExchange = async (exchange) => {
      for (;;) if (!(await host.forward(exchange)).error) return;
    };
    const c = await client();
    for (let i = 0; i < 2; i++) {
      c.send(GET);
      expect((await c.answer()).body).toBe('ok');
    }
    expect(host.outcomes).toHaveLength(22);
    expect(host.outcomes[19]).toMatchObject({ error: { code: 'UPSTREAM_CLOSED' }, replayable: true });
  });

  test('an attempt that cannot be made at all is told, and leaves no connection behind', async () => {
    const { client, host, server } = await startRig(create);
    host.target = '/bad target';
    const c = await client();
    c.send(GET);
    expect((await c.answer()).line).toBe('HTTP/1.1 500 Internal Server Error');
    expect(host.outcomes).toMatchObject([{ error: { code: 'INTERNAL' }, nothingSent: true }]);
    await eventually(() =>
      expect(server.counters()).toMatchObject({ idleConnections: 0, usedConnections: 0 }),
    );
  });
});

describeLanes('clients that leave', (create) => {
  test('while their request waits for a server', async () => {
    const { client, host } = await startRig(create);
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
    const { client, host } = await startRig(create);
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
    const { client, host, server, origin } = await startRig(create);
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
    const { client, origin, host } = await startRig(create);
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
    const { client, origin, host, server } = await startRig(create);
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
    const { client, origin, host } = await startRig(create);
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

describeLanes('work that is called off', (create) => {
  const reason = new VaneError('SERVER_REMOVED', 'gone');

  test('before the answer: it can be tried elsewhere', async () => {
    const { client, origin, host } = await startRig(create);
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
    const { client, origin, host } = await startRig(create);
    origin.answers(CHUNKS);
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toContain('half'));
    host.attempts[0]?.cancel?.(reason);
    await eventually(() => expect(c.closed).toBe(true));
    expect(c.error).toBe('ECONNRESET');
    expect(host.outcomes).toMatchObject([{ error: reason, responseStarted: true }]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
  });

  test('while the connection is being made', async () => {
    const { client, host } = await startRig(create);
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
    const { client, origin, host, lane } = await startRig(create);
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
    for (const c of [idle, midway, waiting]) await eventually(() => expect(c.closed).toBe(true));
    expect(host.aborts).toEqual([stop, stop]);
    expect(host.outcomes).toMatchObject([{ error: undefined }, { error: stop, responseStarted: true }]);
    expect(host.refusals).toEqual([]);
  });

  test('by the host, in the middle of an answer', async () => {
    const { client, origin, host } = await startRig(create);
    origin.answers(LONG);
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toContain('half'));
    host.exchanges[0]?.destroy(reason);
    await eventually(() => expect(c.closed).toBe(true));
    expect(c.error).toBe('ECONNRESET');
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: reason }]));
    expect(host.aborts).toEqual([]);
  });
});

const noConnections = {
  takeIdle: () => undefined,
  connect: () => Promise.reject(new VaneError('CONNECT_FAILED', 'none')),
  giveBack: () => {},
};
