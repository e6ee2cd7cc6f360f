import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { values } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: w\r\n\r\n`;

describeLanes('requests as servers get them', (kind) => {
  test('without a body: no framing, the target and the fields as they came', async () => {
    const { client, origin } = await startRig(kind);
    const c = await client();
    c.send(
      'GET /a?b=1 HTTP/1.1\r\nHost: w\r\nX-Two: 1\r\nACCEPT: */*\r\nx-tWO: 2\r\n' +
        'Connection: x-gone\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n\r\n',
    );
    const answer = await c.answer();
    expect(answer.body).toBe('ok');
    expect(origin.requests[0]?.raw).toBe(
      'GET /a?b=1 HTTP/1.1\r\nHost: w\r\nX-Two: 1\r\nX-Two: 2\r\nACCEPT: */*\r\nConnection: keep-alive\r\n\r\n',
    );
  });

  test.each([
    ['GET', '//a//b?x&&y?z', '//a//b?x&&y?z'],
    ['GET', '/?', '/?'],
    ['GET', '/a/../b/./c%2F%zz', '/a/../b/./c%2F%zz'],
    ['GET', '/http://x/y', '/http://x/y'],
    ['OPTIONS', '*', '*'],
    ['GET', 'http://w/p//q?r', '/p//q?r'],
    ['GET', 'http://w?r', '/?r'],
    ['OPTIONS', 'http://w', '*'],
    ['GET', 'http://w', '/'],
  ])('the target of %s %s is sent as %s', async (method, target, sent) => {
    const { client, origin } = await startRig(kind);
    const c = await client();
    c.send(`${method} ${target} HTTP/1.1\r\nHost: w\r\n\r\n`);
    await c.answer();
    expect(origin.requests[0]?.line).toBe(`${method} ${sent} HTTP/1.1`);
  });

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PROPFIND'])(
    '%s with a length keeps it, and the body its octets',
    async (method) => {
      const { client, origin } = await startRig(kind);
      const c = await client();
      c.send(`${method} / HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\na\0\xff\r\n`);
      await c.answer(method);
      const [request] = origin.requests;
      expect(request?.headers).toEqual(['Host', 'w', 'Connection', 'keep-alive', 'Content-Length', '5']);
      expect(request?.body).toBe('a\0\xff\r\n');
    },
  );

  test.each(['GET', 'POST', 'DELETE', 'OPTIONS'])('%s in chunks stays so', async (method) => {
    const { client, origin } = await startRig(kind);
    const c = await client();
    c.send(
      `${method} / HTTP/1.1\r\nHost: w\r\ntransfer-encoding: chunked\r\n\r\n` +
        '3;ext="x"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n',
    );
    await c.answer();
    const [request] = origin.requests;
    expect(request?.headers).toEqual([
      'Host',
      'w',
      'Connection',
      'keep-alive',
      'Transfer-Encoding',
      'chunked',
    ]);
    expect(request?.body).toBe('abc0123456789');
    expect(request?.trailers).toEqual([]);
    expect(request?.raw).not.toContain('ext');
  });

  test.each([
    ['GET', 'Content-Length: 0\r\n', ['0']],
    ['POST', 'Content-Length: 0\r\n', ['0']],
    ['GET', '', []],
    ['DELETE', '', []],
    ['PROPFIND', '', []],
    ['POST', '', ['0']],
    ['PUT', '', ['0']],
    ['PATCH', '', ['0']],
  ])('%s with an empty body (%j) says length %j', async (method, given, lengths) => {
    const { client, origin } = await startRig(kind);
    const c = await client();
    c.send(`${method} / HTTP/1.1\r\nHost: w\r\n${given}\r\n`);
    await c.answer();
    const request = origin.requests[0] ?? expect.fail('no request');
    expect(values(request, 'content-length')).toEqual(lengths);
    expect(values(request, 'transfer-encoding')).toEqual([]);
  });

  test('an empty body in chunks stays one', async () => {
    const { client, origin } = await startRig(kind);
    const c = await client();
    c.send('POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
    await c.answer();
    expect(origin.requests[0]?.raw).toMatch(/Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n$/);
  });

  test('fields named like properties of objects, and values beyond ASCII, go through', async () => {
    const { client, origin } = await startRig(kind);
    const c = await client();
    c.send(
      'POST / HTTP/1.1\r\nHost: w\r\n__proto__: 1\r\nConstructor: 2\r\nX-Latin: \xe9\xa0\r\nX-Empty:\r\n' +
        'Content-Length: 2\r\nContent-Disposition: a; f="\xc3\xa9"\r\n\r\n',
    );
    // The body comes later, so that the head travels alone.
    await eventually(() => expect(origin.connections[0]?.pending()).toContain('\r\n\r\n'));
    c.send('hi');
    await c.answer();
    expect(origin.requests[0]?.headers).toEqual(
      [
        ['Host', 'w', '__proto__', '1', 'Constructor', '2', 'X-Latin', '\xe9\xa0', 'X-Empty', ''],
        ['Content-Disposition', 'a; f="\xc3\xa9"', 'Connection', 'keep-alive', 'Content-Length', '2'],
      ].flat(),
    );
  });

  test('the head goes to the server before any of the body has come', async () => {
    const { client, origin } = await startRig(kind);
    const heads: string[] = [];
    origin.onHead = (_connection, head) => heads.push(head);
    const c = await client();
    c.send('POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\n');
    await eventually(() => expect(heads).toHaveLength(1));
    c.send('abc');
    expect((await c.answer()).body).toBe('ok');
    expect(origin.requests[0]?.body).toBe('abc');
  });

  test('a large body arrives whole, of either framing', async () => {
    const { client, origin } = await startRig(kind);
    const body = 'x'.repeat(3_000_000);
    const c = await client();
    c.send(`POST / HTTP/1.1\r\nHost: w\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await c.answer();
    c.send(`POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n`);
    c.send(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    await c.answer();
    expect(origin.requests.map((request) => request.body === body)).toEqual([true, true]);
  });

  test('of HTTP/1.0 clients go on as HTTP/1.1, with a Host', async () => {
    const { client, origin } = await startRig(kind);
    const c = await client();
    c.send('GET / HTTP/1.0\r\n\r\n');
    await c.gone();
    const request = origin.requests[0] ?? expect.fail('no request');
    expect(request.line).toBe('GET / HTTP/1.1');
    expect(values(request, 'host')).toEqual([`127.0.0.1:${origin.port}`]);
  });

  test.each([
    ['GET', 'h2c', ''],
    ['GET', 'websocket, h2c', ''],
    ['POST', 'websocket', 'Content-Length: 2\r\n'],
    ['GET', 'websocket', 'Content-Length: 2\r\n'],
  ])('%s that asks for an upgrade to %s (%j) is an ordinary request, and the last', async (...asked) => {
    const [method, protocol, length] = asked;
    const { client, origin, host } = await startRig(kind);
    const c = await client();
    const upgrade = `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABk\r\n`;
    const body = length === '' ? '' : 'ab';
    c.send(`${method} / HTTP/1.1\r\nHost: w\r\n${upgrade}${length}\r\n${body}${get('/next')}`);
    const answer = await c.answer();
    expect(answer.body).toBe('ok');
    expect(values(answer, 'connection')).toEqual(['close']);
    await c.gone();
    expect(c.received).toBe('');
    expect(host.exchanges[0]?.head.upgrade).toBe(false);
    expect(origin.requests.map(({ raw }) => raw)).toEqual([
      `${method} / HTTP/1.1\r\nHost: w\r\nConnection: keep-alive\r\n${length}\r\n${body}`,
    ]);
    expect(host.refusals).toEqual([]);
  });

  test('the head tells what was asked, by whom and when', async () => {
    const { client, host } = await startRig(kind);
    const c = await client();
    c.send('POST http://W:80/p?q HTTP/1.1\r\nHost: w:80\r\nContent-Length: 2\r\n\r\nab');
    await c.answer();
    const [exchange] = host.exchanges;
    expect(exchange?.head).toEqual({
      method: 'POST',
      target: 'http://W:80/p?q',
      path: '/p',
      httpVersion: '1.1',
      headers: ['Host', 'w:80', 'Content-Length', '2'],
      host: 'W:80',
      bodyless: false,
      upgrade: false,
      secure: kind.tls,
    });
    expect(exchange?.client).toEqual({
      address: '127.0.0.1',
      port: c.socket.localPort,
      localAddress: '127.0.0.1',
      localPort: c.socket.remotePort,
    });
    expect(exchange?.headAt).toBeGreaterThanOrEqual(exchange?.startedAt ?? Number.NaN);
  });

  test('a head that comes in pieces began with its first byte', async () => {
    const { client, host } = await startRig(kind);
    const c = await client();
    const before = performance.now();
    c.send('\r\n');
    c.send('GET / HT');
    await eventually(() => expect(performance.now()).toBeGreaterThan(before + 50));
    c.send('TP/1.1\r\nHost: w\r\n\r\n');
    await c.answer();
    const [exchange] = host.exchanges;
    expect((exchange?.headAt ?? 0) - (exchange?.startedAt ?? 0)).toBeGreaterThan(20);
  });

  test('more of what is expected than 100-continue is refused', async () => {
    const { client, host, origin } = await startRig(kind);
    const c = await client();
    c.send('POST / HTTP/1.1\r\nHost: w\r\nExpect: tea\r\nContent-Length: 2\r\n\r\nab');
    expect((await c.answer()).line).toMatch(/^HTTP\/1\.1 417 /);
    await c.gone();
    expect(host.refusals).toMatchObject([{ status: 417, error: { code: 'REQUEST_INVALID' } }]);
    expect(origin.connections).toEqual([]);
  });
});
