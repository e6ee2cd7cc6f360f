import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import { describeLanes, noConnections, startRig } from './lane-rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: w\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\n';
const LONG = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';
const CHUNKS = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';
const OPEN = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf';

describeLanes('servers that fail', (kind) => {
  test.each(['end', 'reset'] as const)('before it answers, by %s: 502', async (how) => {
    const { client, origin, host } = await startRig(kind);
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
    const { client, origin, host } = await startRig(kind);
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
    const { client, origin, host } = await startRig(kind);
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
    const { client, origin, host, server } = await startRig(kind);
    origin.answers(text);
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toContain('half'));
    const [connection] = origin.connections;
    if (how === 'end') connection?.socket.end();
    if (how === 'reset') connection?.socket.resetAndDestroy();
    if (how === 'a bad chunk') connection?.send('zz\r\n');
    await c.cut();
    if (!kind.tls) expect(c.ended).toBe(false);
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
    const { client, origin, host } = await startRig(kind);
    origin.answers(CHUNKS);
    const c = await client();
    c.send('GET / HTTP/1.0\r\n\r\n');
    await eventually(() => expect(c.received).toContain('half'));
    origin.connections[0]?.socket.destroy();
    await c.cut();
    expect(host.outcomes).toMatchObject([{ error: { code: 'UPSTREAM_CLOSED' }, responseStarted: true }]);
  });

  test('an idle connection that the server has closed is not used', async () => {
    const { client, origin, server } = await startRig(kind);
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
    const { client, origin, host } = await startRig(kind);
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
    const { client, origin, host } = await startRig(kind);
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
    const { client, host, server } = await startRig(kind);
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
