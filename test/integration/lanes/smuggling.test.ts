import { expect, test } from 'vitest';
import { describeLanes, startRig } from './lane-rig.ts';

const H = 'Host: w\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const NEXT = 'GET /smuggled HTTP/1.1\r\nHost: w\r\n\r\n';

describeLanes('what two readers could read differently', (kind) => {
  test.each([
    ['CL.TE', `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\n${CHUNKED}\r\n0\r\n\r\n`],
    ['TE.CL', `POST / HTTP/1.1\r\n${H}${CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\n`],
    ['TE.TE', `POST / HTTP/1.1\r\n${H}${CHUNKED}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n`],
    ['TE twice', `POST / HTTP/1.1\r\n${H}${CHUNKED}${CHUNKED}\r\n0\r\n\r\n`],
    ['TE, a list', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['TE, chunked not last', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ['TE, misspelt', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['TE, quoted', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`],
    ['TE, vertical tab', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
    ['TE, space before colon', `POST / HTTP/1.1\r\n${H}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['TE, folded', `POST / HTTP/1.1\r\n${H}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
    ['TE in HTTP/1.0', `POST / HTTP/1.0\r\n${H}${CHUNKED}\r\n0\r\n\r\n`],
    ['CL twice, alike', `POST / HTTP/1.1\r\n${H}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab`],
    ['CL twice', `POST / HTTP/1.1\r\n${H}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`],
    ['CL, a list', `POST / HTTP/1.1\r\n${H}Content-Length: 2, 2\r\n\r\nab`],
    ['CL, a sign', `POST / HTTP/1.1\r\n${H}Content-Length: +2\r\n\r\nab`],
    ['CL, negative', `POST / HTTP/1.1\r\n${H}Content-Length: -2\r\n\r\nab`],
    ['CL, hexadecimal', `POST / HTTP/1.1\r\n${H}Content-Length: 0x2\r\n\r\nab`],
    ['CL, empty', `POST / HTTP/1.1\r\n${H}Content-Length:\r\n\r\nab`],
    ['CL, inner space', `POST / HTTP/1.1\r\n${H}Content-Length: 1 0\r\n\r\nab`],
    ['CL, huge', `POST / HTTP/1.1\r\n${H}Content-Length: ${'9'.repeat(40)}\r\n\r\nab`],
    ['an empty name', `GET / HTTP/1.1\r\n${H}: x\r\n\r\n`],
    ['a name with a space', `GET / HTTP/1.1\r\n${H}X y: 1\r\n\r\n`],
    ['a name with NUL', `GET / HTTP/1.1\r\n${H}X\0: 1\r\n\r\n`],
    ['no colon', `GET / HTTP/1.1\r\n${H}X\r\n\r\n`],
    ['obs-fold', `GET / HTTP/1.1\r\n${H}X: a\r\n b\r\n\r\n`],
    ['obs-fold by tab', `GET / HTTP/1.1\r\n${H}X: a\r\n\tb\r\n\r\n`],
    ['a first field that is folded', `GET / HTTP/1.1\r\n ${H}\r\n`],
    ['bare LF', `GET / HTTP/1.1\n${H}\n`],
    ['bare LF in a value', `GET / HTTP/1.1\r\n${H}X: a\nY: b\r\n\r\n`],
    ['bare CR', `GET / HTTP/1.1\r\n${H}X: a\rY: b\r\n\r\n`],
    ['NUL in a value', `GET / HTTP/1.1\r\n${H}X: a\0b\r\n\r\n`],
    ['DEL in a value', `GET / HTTP/1.1\r\n${H}X: a\x7fb\r\n\r\n`],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two Hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: w/x\r\n\r\n'],
    ['a Host with userinfo', 'GET / HTTP/1.1\r\nHost: u@w\r\n\r\n'],
    ['a Host with a space', 'GET / HTTP/1.1\r\nHost: w x\r\n\r\n'],
    ['Host unlike the target', `GET http://other/ HTTP/1.1\r\n${H}\r\n`],
    ['a fragment', `GET /a#b HTTP/1.1\r\n${H}\r\n`],
    ['a target beyond ASCII', `GET /\xe9 HTTP/1.1\r\n${H}\r\n`],
    ['a control in the target', `GET /a\x01b HTTP/1.1\r\n${H}\r\n`],
    ['a space in the target', `GET /a b HTTP/1.1\r\n${H}\r\n`],
    ['* but for OPTIONS', `GET * HTTP/1.1\r\n${H}\r\n`],
    ['another scheme', `GET ftp://w/ HTTP/1.1\r\n${H}\r\n`],
    ['CONNECT', `CONNECT w:443 HTTP/1.1\r\n${H}\r\n`],
    ['CONNECT with a path', `CONNECT / HTTP/1.1\r\n${H}\r\n`],
    ['HTTP/0.9', `GET / HTTP/0.9\r\n${H}\r\n`],
    ['HTTP/0.9, no version', 'GET /\r\n\r\n'],
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${H}\r\n`],
    ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['lower-case method', `get / HTTP/1.1\r\n${H}\r\n`],
    ['unknown method', `SMUGGLE / HTTP/1.1\r\n${H}\r\n`],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['more fields than allowed', `GET / HTTP/1.1\r\n${H}${'A: b\r\n'.repeat(120)}\r\n`],
  ])('%s: 400, and nothing reaches a server', async (_name, text) => {
    const { client, origin, host } = await startRig(kind);
    const c = await client();
    c.send(text + NEXT);
    const answer = await c.answer();
    expect(answer.line).toBe('HTTP/1.1 400 Bad Request');
    await c.gone();
    expect(c.received).toBe('');
    expect(c.error).toBeUndefined();
    expect(origin.connections).toEqual([]);
    expect(host.exchanges).toEqual([]);
    expect(host.refusals).toMatchObject([
      { status: 400, error: { code: 'REQUEST_INVALID' }, client: { port: c.socket.localPort } },
    ]);
    expect(host.refusals[0]?.bytesIn).toBe(text.length + NEXT.length);
    expect(host.refusals[0]?.bytesOut).toBe(answer.raw.length);
  });

  test.each([
    ['a head that is too large', `GET / HTTP/1.1\r\n${H}X: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['a target that is too large', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${H}\r\n`],
  ])('%s: 431', async (_name, text) => {
    const { client, origin, host } = await startRig(kind);
    const c = await client();
    c.send(text);
    expect((await c.answer()).line).toBe('HTTP/1.1 431 Request Header Fields Too Large');
    await c.gone();
    expect(host.refusals).toMatchObject([{ status: 431, error: { code: 'REQUEST_INVALID' } }]);
    expect(origin.connections).toEqual([]);
  });

  test.each([
    ['no size', 'x\r\n'],
    ['a negative size', '-1\r\n'],
    ['a size with 0x', '0x2\r\nab\r\n'],
    ['a huge size', `${'f'.repeat(20)}\r\n`],
    ['a bare LF behind the size', '2\nab\r\n0\r\n\r\n'],
    ['more than the size', '2\r\nabc\r\n0\r\n\r\n'],
    ['a bare LF behind the octets', '2\r\nab\n0\r\n\r\n'],
    ['a space before the size', ' 2\r\nab\r\n0\r\n\r\n'],
    ['a bad extension', '2;a\x01\r\nab\r\n0\r\n\r\n'],
    ['a folded trailer', '0\r\nX: a\r\n b\r\n\r\n'],
  ])('a chunk with %s: 400, and the server never gets a whole request', async (_name, chunks) => {
    const { client, origin, host, server } = await startRig(kind);
    const c = await client();
    c.send(`POST / HTTP/1.1\r\n${H}${CHUNKED}\r\n`);
    c.send(chunks + NEXT);
    expect((await c.answer()).line).toBe('HTTP/1.1 400 Bad Request');
    await c.gone();
    expect(origin.requests).toEqual([]);
    expect(host.outcomes).toMatchObject([{ error: { code: 'REQUEST_INVALID' }, responseStarted: false }]);
    expect(host.aborts).toMatchObject([{ code: 'REQUEST_INVALID' }]);
    expect(server.counters().idleConnections).toBe(0);
  });

  test('bodies are bodies: what looks like a request in them is none', async () => {
    const { client, origin } = await startRig(kind);
    const c = await client();
    c.send(`POST /a HTTP/1.1\r\n${H}Content-Length: ${NEXT.length}\r\n\r\n${NEXT}`);
    c.send(`GET /b HTTP/1.1\r\n${H}Content-Length: ${NEXT.length}\r\n\r\n${NEXT}`);
    await c.answer();
    await c.answer();
    expect(origin.requests.map(({ line }) => line)).toEqual(['POST /a HTTP/1.1', 'GET /b HTTP/1.1']);
  });

  test('what was asked properly before is answered first', async () => {
    const { client, host } = await startRig(kind);
    const c = await client();
    c.send(`GET /a HTTP/1.1\r\n${H}\r\nGET /b HTTP/1.1\r\n${H}${H}\r\n`);
    expect((await c.answer()).body).toBe('ok');
    expect((await c.answer()).line).toBe('HTTP/1.1 400 Bad Request');
    await c.gone();
    const again = await client();
    again.send(`GET /a HTTP/1.1\r\n${H}\r\nsome garbage\r\n\r\n`);
    expect((await again.answer()).body).toBe('ok');
    expect((await again.answer()).line).toBe('HTTP/1.1 400 Bad Request');
    expect(host.refusals).toHaveLength(2);
  });
});
