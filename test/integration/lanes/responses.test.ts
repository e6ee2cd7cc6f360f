import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { values } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: w\r\n\r\n';
const GET_10 = 'GET / HTTP/1.0\r\n\r\n';
const GET_10_KEPT = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
const DATE = 'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n';

describeLanes('answers as clients get them', (kind) => {
  test('order, case, duplicates, reason and octets are kept; what is about the connection is not', async () => {
    const { client, origin } = await startRig(kind);
    origin.answers(
      `HTTP/1.1 299 Quite  Fine\r\nSET-Cookie: a\r\nX-B: \xe9\r\nset-cookie: b\r\n${DATE}` +
        'Connection: X-Gone, Set-Cookie, close\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n' +
        'Trailer: X-T\r\nProxy-Connection: keep-alive\r\nContent-Length: 3\r\nX-Last: 1\r\n\r\n\0\xff\n',
    );
    const c = await client();
    c.send(GET);
    const answer = await c.answer();
    expect(answer.raw).toBe(
      `HTTP/1.1 299 Quite  Fine\r\nSET-Cookie: a\r\nX-B: \xe9\r\nset-cookie: b\r\n${DATE}` +
        'Content-Length: 3\r\nX-Last: 1\r\n\r\n\0\xff\n',
    );
  });

  test('a date is added where the server gave none', async () => {
    const { client } = await startRig(kind);
    const c = await client();
    c.send(GET);
    const answer = await c.answer();
    expect(values(answer, 'date')).toHaveLength(1);
  });

  test('Content-Disposition keeps its octets', async () => {
    const { client, origin } = await startRig(kind);
    origin.answers(
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Disposition: a; f="\xc3\xa9 \xe9"\r\n${DATE}\r\nok`,
    );
    const c = await client();
    c.send(GET);
    expect((await c.answer()).raw).toBe(
      `HTTP/1.1 200 OK\r\nContent-Disposition: a; f="\xc3\xa9 \xe9"\r\n${DATE}Content-Length: 2\r\n\r\nok`,
    );
  });

  test.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n'],
    ['HTTP/1.0 and a length', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ])('a body with %s reaches clients of both versions whole', async (framing, text) => {
    const { client, origin, host } = await startRig(kind);
    origin.answers(text);
    const c = await client();
    c.send(GET);
    const answer = await c.answer();
    expect(answer.body).toBe('hello');
    const chunked = framing === 'chunks';
    expect(values(answer, 'transfer-encoding')).toEqual(chunked ? ['chunked'] : []);
    expect(values(answer, 'content-length')).toEqual(chunked ? [] : ['5']);
    expect(values(answer, 'connection')).toEqual([]);

    const kept = await client();
    kept.send(GET_10_KEPT);
    const keptAnswer = await kept.answer();
    expect(keptAnswer.body).toBe('hello');
    expect(values(keptAnswer, 'transfer-encoding')).toEqual([]);
    expect(values(keptAnswer, 'connection')).toEqual([chunked ? 'close' : 'keep-alive']);

    const old = await client();
    old.send(GET_10);
    const oldAnswer = await old.answer();
    expect(oldAnswer.line).toBe('HTTP/1.1 200 OK');
    expect(oldAnswer.body).toBe('hello');
    expect(values(oldAnswer, 'connection')).toEqual(['close']);
    await old.gone();
    expect(host.outcomes.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
  });

  test.each([['HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello'], ['HTTP/1.0 200 OK\r\n\r\nhello']])(
    'a body that ends with the connection is framed anew: %j',
    async (text) => {
      const { client, origin } = await startRig(kind);
      origin.onRequest = ({ send, socket }) => {
        send(text);
        socket.end();
      };
      const c = await client();
      c.send(GET);
      const answer = await c.answer();
      expect(answer.body).toBe('hello');
      expect(values(answer, 'transfer-encoding')).toEqual(['chunked']);
      c.send(GET);
      expect((await c.answer()).body).toBe('hello');
      const old = await client();
      old.send(GET_10_KEPT);
      expect((await old.answer()).raw).toMatch(/Connection: close\r\n(?:Date: .*\r\n)?\r\nhello$/);
      await old.gone();
      expect(old.error).toBeUndefined();
    },
  );

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', ['5']],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', []],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', ['5']],
    ['GET', 'HTTP/1.1 304 Not Modified\r\n\r\n', []],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', []],
    ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', []],
  ])('no body: %s answered %j, and both connections go on', async (method, text, lengths) => {
    const { client, origin } = await startRig(kind);
    origin.answers(text);
    const c = await client();
    for (let i = 0; i < 2; i++) {
      c.send(`${method} / HTTP/1.1\r\nHost: w\r\n\r\n`);
      const answer = await c.answer(method);
      expect(answer.line).toBe(text.split('\r\n')[0]);
      expect(values(answer, 'content-length')).toEqual(lengths);
      expect(values(answer, 'transfer-encoding')).toEqual([]);
    }
    expect(c.received).toBe('');
    expect(origin.connections).toHaveLength(1);
  });

  test('an answer to HEAD need not say how long the body would be', async () => {
    const { client, origin } = await startRig(kind);
    origin.answers('HTTP/1.1 200 OK\r\n\r\n');
    const c = await client();
    for (let i = 0; i < 2; i++) {
      c.send('HEAD / HTTP/1.1\r\nHost: w\r\n\r\n');
      const answer = await c.answer('HEAD');
      expect([...values(answer, 'content-length'), ...values(answer, 'transfer-encoding')]).toEqual([]);
    }
  });

  test.each([
    ['HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'],
    ['HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('a 204 that announces a body has none, and its connection is not used again: %j', async (text) => {
    const { client, origin } = await startRig(kind);
    origin.answers(text);
    const c = await client();
    for (let i = 0; i < 2; i++) {
      c.send(GET);
      const answer = await c.answer();
      expect(values(answer, 'content-length')).toEqual([]);
      expect(values(answer, 'transfer-encoding')).toEqual([]);
    }
    expect(origin.connections).toHaveLength(2);
  });

  test('trailers reach those clients that get chunks', async () => {
    const { client, origin } = await startRig(kind);
    origin.answers(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n' +
        '2\r\nok\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\nSet-Cookie: a\r\nConnection: x\r\n\r\n',
    );
    const c = await client();
    c.send(GET);
    const answer = await c.answer();
    expect(answer.body).toBe('ok');
    expect(answer.trailers).toEqual(['X-Sum', '1', 'x-sum', '2']);
    const old = await client();
    old.send(GET_10);
    expect((await old.answer()).body).toBe('ok');
  });

  test('interim answers reach clients of HTTP/1.1, but for 100', async () => {
    const { client, origin } = await startRig(kind);
    origin.answers(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: 1\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    );
    const c = await client();
    c.send(GET);
    expect((await c.answer()).raw).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
    expect((await c.answer()).body).toBe('ok');
    const old = await client();
    old.send(GET_10);
    expect((await old.answer()).line).toBe('HTTP/1.1 200 OK');
  });

  test('an interim answer that only says that there may be a body is none', async () => {
    const { client, origin, host } = await startRig(kind);
    origin.answers('HTTP/1.1 103 Early Hints\r\n\r\n');
    origin.onRequest = ({ send, socket }) => {
      send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
      socket.end();
    };
    const c = await client();
    c.send(GET);
    expect((await c.answer()).line).toBe('HTTP/1.1 103 Early Hints');
    expect((await c.answer()).line).toBe('HTTP/1.1 502 Bad Gateway');
    expect(host.outcomes).toMatchObject([
      { error: { code: 'UPSTREAM_CLOSED' }, responseStarted: false, status: undefined },
    ]);
  });

  test('the head of an answer goes out before its body comes (event streams)', async () => {
    const { client, origin } = await startRig(kind);
    origin.answers('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toMatch(/text\/event-stream\r\n[\s\S]*\r\n\r\n$/));
    origin.connections[0]?.send('data: 1\n\n');
    await eventually(() => expect(c.received).toContain('data: 1\n\n'));
    expect(c.ended).toBe(false);
  });

  test('a large answer arrives whole', async () => {
    const { client, origin } = await startRig(kind);
    const body = 'y'.repeat(5_000_000);
    origin.answers(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received.length).toBeGreaterThan(body.length), 10_000);
    expect((await c.answer()).body === body).toBe(true);
  });

  test.each([
    ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok'],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok'],
    ['more codings', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    ['an odd length', 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['101 without a word of what to', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    [
      '101 that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    ],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`],
  ])('an answer with %s is not passed on', async (_what, text) => {
    const { client, origin, host, server } = await startRig(kind);
    origin.answers(text);
    const c = await client();
    c.send(GET);
    expect((await c.answer()).line).toBe('HTTP/1.1 502 Bad Gateway');
    expect(host.outcomes).toMatchObject([{ error: { code: 'UPSTREAM_PROTOCOL' }, responseStarted: false }]);
    expect(server.counters().idleConnections).toBe(0);
  });

  test.each([
    ['garbage', 'garbage'],
    ['another answer', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'],
  ])('%s behind an answer is dropped, and its connection too', async (_what, surplus) => {
    const { client, origin, host, server } = await startRig(kind);
    origin.answers(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${surplus}`);
    const c = await client();
    for (let i = 0; i < 2; i++) {
      c.send(GET);
      expect((await c.answer()).body).toBe('ok');
    }
    expect(host.outcomes.map(({ error }) => error)).toEqual([undefined, undefined]);
    expect(origin.connections).toHaveLength(2);
    expect(server.counters().idleConnections).toBe(0);
  });
});
