import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { values } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const get = (path = '/', more = '') => `GET ${path} HTTP/1.1\r\nHost: w\r\n${more}\r\n`;

describeLanes('connections', (kind) => {
  test('a hundred requests go over one connection on each side, and leave nothing behind', async () => {
    const { client, origin, given, sockets, server, host } = await startRig(kind);
    const c = await client();
    const listeners = () => countListeners(given[0]) + countListeners(sockets[0]);
    let atFirst = 0;
    for (let i = 0; i < 100; i++) {
      const body = i % 2 === 0 ? '' : 'Content-Length: 3\r\n';
      c.send(`POST /${i} HTTP/1.1\r\nHost: w\r\n${body}\r\n${body === '' ? '' : 'abc'}`);
      expect((await c.answer()).body).toBe('ok');
      await eventually(() => expect(server.counters().idleConnections).toBe(1));
      if (i === 1) atFirst = listeners();
    }
    expect(listeners()).toBe(atFirst);
    expect(origin.connections).toHaveLength(1);
    expect(new Set(given).size).toBe(1);
    expect(host.outcomes.map(({ reused }) => reused)).toEqual([false, ...Array(99).fill(true)]);
    expect(host.outcomes[1]?.connectMs).toBe(0);
    expect(origin.requests.map(({ line }) => line)).toEqual(
      Array.from({ length: 100 }, (_, i) => `POST /${i} HTTP/1.1`),
    );
  });

  test('pipelined requests are served one after another, in order', async () => {
    const { client, origin, host } = await startRig(kind);
    let open = 0;
    let most = 0;
    origin.onRequest = ({ send }, { line, body }) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open--;
        const text = `${line.split(' ')[1]}${body}`;
        send(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
      });
    };
    const c = await client();
    const paths = Array.from({ length: 200 }, (_, i) => `/${i}`);
    const post = 'POST /p HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\n=33';
    c.send(paths.map((path) => get(path)).join('') + post + get('/last'));
    for (const path of [...paths, '/p=33', '/last']) expect((await c.answer()).body).toBe(path);
    expect(most).toBe(1);
    expect(host.exchanges).toHaveLength(202);
    expect(origin.connections).toHaveLength(1);
  });

  test('a client that pipelines without end is read only as far as it is served', async () => {
    const { client, origin, host, sockets } = await startRig(kind);
    origin.onRequest = () => {};
    const c = await client();
    const total = 1_000;
    const request = `GET / HTTP/1.1\r\nHost: w\r\nX-Long: ${'x'.repeat(8_000)}\r\n\r\n`;
    c.send(request.repeat(total));
    await eventually(() => expect(sockets[0]?.bytesRead).toBeGreaterThan(50_000));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(sockets[0]?.bytesRead).toBeLessThan((request.length * total) / 2);
    origin.answers('HTTP/1.1 204 No Content\r\n\r\n');
    origin.connections[0]?.send('HTTP/1.1 204 No Content\r\n\r\n');
    await eventually(() => expect(host.outcomes).toHaveLength(total), 10_000);
    expect(host.outcomes.every(({ error }) => error === undefined)).toBe(true);
    expect(origin.connections).toHaveLength(1);
  });

  test.each([
    ['1.1', '', false],
    ['1.1', 'Connection: keep-alive\r\n', false],
    ['1.1', 'Connection: close\r\n', true],
    ['1.1', 'Connection: x, CLOSE\r\n', true],
    ['1.0', '', true],
    ['1.0', 'Connection: Keep-Alive\r\n', false],
    ['1.0', 'Connection: close\r\n', true],
  ])('a client of HTTP/%s with %j is closed behind its answer: %s', async (version, field, closed) => {
    const { client, server } = await startRig(kind);
    const c = await client();
    c.send(`GET / HTTP/${version}\r\nHost: w\r\n${field}\r\n`);
    const answer = await c.answer();
    expect(answer.body).toBe('ok');
    expect(values(answer, 'connection')).toEqual(
      closed ? ['close'] : version === '1.0' ? ['keep-alive'] : [],
    );
    if (closed) await c.gone();
    else {
      c.send(get());
      expect((await c.answer()).body).toBe('ok');
    }
    // What the client wants of its connection does not concern the server's.
    await eventually(() => expect(server.counters().idleConnections).toBe(1));
  });

  test('a client that has ended its side still gets its answer, and then the end', async () => {
    const { client, origin, host } = await startRig(kind);
    let answer = () => {};
    origin.onRequest = ({ send }) => {
      answer = () => send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    };
    const c = await client();
    c.socket.end(get());
    await eventually(() => expect(origin.requests).toHaveLength(1));
    await new Promise((resolve) => setImmediate(resolve));
    answer();
    const got = await c.answer();
    expect(got.body).toBe('ok');
    expect(values(got, 'connection')).toEqual(['close']);
    await eventually(() => expect(c.closed).toBe(true));
    expect(c.error).toBeUndefined();
    expect(host.outcomes).toMatchObject([{ error: undefined }]);
    expect(host.aborts).toEqual([]);
  });

  test('all that was pipelined before the end is answered', async () => {
    const { client } = await startRig(kind);
    const c = await client();
    c.socket.end(get() + get() + get());
    for (let i = 0; i < 3; i++) expect((await c.answer()).body).toBe('ok');
    await eventually(() => expect(c.closed).toBe(true));
  });

  test('a connection that says nothing, or nothing further, is nobody’s fault', async () => {
    const { client, host, sockets } = await startRig(kind);
    const silent = await client();
    silent.socket.end();
    const reset = await client();
    await eventually(() => expect(sockets).toHaveLength(2));
    reset.socket.resetAndDestroy();
    const served = await client();
    served.send(`${get()}\r\n`);
    await served.answer();
    served.socket.end();
    await eventually(() => expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, true, true]));
    expect(host.refusals).toEqual([]);
    expect(host.aborts).toEqual([]);
  });

  test.each(['end', 'reset'])('a head that breaks off by %s is told as the client’s abort', async (how) => {
    const { client, host } = await startRig(kind);
    const c = await client();
    c.send(get());
    await c.answer();
    c.send('GET / HTTP/1.1\r\nHo');
    await eventually(() => expect(c.socket.writableLength).toBe(0));
    if (how === 'end') c.socket.end();
    else setTimeout(() => c.socket.resetAndDestroy(), 20);
    await eventually(() => expect(host.refusals).toHaveLength(1));
    expect(host.refusals).toMatchObject([
      { error: { code: 'CLIENT_ABORTED' }, status: undefined, bytesIn: 18, bytesOut: 0 },
    ]);
    expect(c.received).toBe('');
    expect(host.aborts).toEqual([]);
  });

  test('bytes are counted for each request, heads included', async () => {
    const { client, host } = await startRig(kind);
    const c = await client();
    const request = 'POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nabc';
    for (let i = 0; i < 2; i++) {
      c.send(request);
      const answer = await c.answer();
      await eventually(() => expect(host.outcomes).toHaveLength(i + 1));
      expect(host.exchanges[i]).toMatchObject({ bytesIn: request.length, bytesOut: answer.raw.length });
    }
    const sent = 'POST / HTTP/1.1\r\nHost: w\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc'
      .length;
    const got = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'.length;
    expect(host.outcomes).toMatchObject([
      { bytesToServer: sent, bytesFromServer: got, phase: 'data', status: 200 },
      { bytesToServer: sent, bytesFromServer: got, phase: 'data', status: 200 },
    ]);
  });

  test('idle connections that are to hurry are ended; those at work, or that have not asked yet, are not', async () => {
    const { client, host, lane, origin, sockets } = await startRig(kind);
    const idle = await client();
    idle.send(get());
    await idle.answer();
    const fresh = await client();
    await eventually(() => expect(sockets).toHaveLength(2));
    const busy = await client();
    origin.onRequest = () => {};
    busy.send(get());
    await eventually(() => expect(origin.requests).toHaveLength(2));
    host.timeouts = { ...host.timeouts, httpKeepAlive: 20 };
    lane.hurryIdle();
    await idle.gone();
    expect(idle.error).toBeUndefined();
    origin.connections.at(-1)?.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect((await busy.answer()).body).toBe('ok');
    // From here on it is idle, too.
    await busy.gone();
    origin.answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    fresh.send(get());
    expect((await fresh.answer()).body).toBe('ok');
  });

  test('a connection that is to hurry still takes a request that comes in time', async () => {
    const { client, host, lane } = await startRig(kind);
    const c = await client();
    c.send(get());
    await c.answer();
    host.closeAfter = true;
    host.timeouts = { ...host.timeouts, httpKeepAlive: 10_000 };
    lane.hurryIdle();
    c.send(get());
    const answer = await c.answer();
    expect(answer.body).toBe('ok');
    expect(values(answer, 'connection')).toEqual(['close']);
    await c.gone();
    expect(c.error).toBeUndefined();
  });

  test.each([
    ['a small answer of our own', 'x'],
    ['an answer of our own that waits for the client', 'x'.repeat(3_000_000)],
  ])(
    'nothing that was pipelined behind %s is taken once the connection is to be closed',
    async (_what, body) => {
      const rig = await startRig(kind);
      rig.host.onExchange = (exchange) => exchange.respond({ status: 429, headers: [], body, close: true });
      const c = await rig.client();
      if (body.length > 1) c.socket.pause();
      c.send(`POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 2\r\n\r\nhi${get().repeat(3)}`);
      await eventually(() => expect(rig.host.exchanges).toHaveLength(1));
      c.send(get());
      c.socket.resume();
      await c.gone();
      expect(c.received.match(/HTTP\/1.1 429/g)).toHaveLength(1);
      expect(rig.host.exchanges).toHaveLength(1);
    },
  );

  test('a request that is told to be the last closes the connection', async () => {
    const { client, host } = await startRig(kind);
    host.closeAfter = true;
    const c = await client();
    c.send(get() + get());
    expect(values(await c.answer(), 'connection')).toEqual(['close']);
    await c.gone();
    expect(c.received).toBe('');
    expect(host.exchanges).toHaveLength(1);
  });
});

function countListeners(
  socket: { eventNames(): unknown[]; listenerCount(name: string): number } | undefined,
) {
  return (socket?.eventNames() ?? []).reduce<number>(
    (sum, name) => sum + (socket?.listenerCount(String(name)) ?? 0),
    0,
  );
}
