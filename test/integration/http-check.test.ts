import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { HttpProbe } from '../../src/health/http.ts';
import { isLinkLocal } from '../../src/health/http-hop.ts';
import { httpchkProbe } from '../../src/health/httpchk.ts';
import type { CheckKind } from '../../src/registry/model.ts';
import { eventually } from '../helpers/eventually.ts';
import { selfSigned } from '../helpers/self-signed.ts';

type HttpKind = Extract<CheckKind, { kind: 'http' }>;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Listens on loopback; all its connections end with the test. */
async function listen(server: TcpServer): Promise<{ port: number; open: Set<Socket> }> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, open };
}

function site(answer: (request: IncomingMessage, response: ServerResponse) => void): Server {
  return createServer(answer);
}

function check(url: string, kind: Partial<HttpKind> = {}, outputMaxSize = 4096) {
  return new HttpProbe(
    { kind: 'http', url, method: '', header: {}, body: '', tlsSkipVerify: false, ...kind },
    outputMaxSize,
  );
}

const patient = () => new AbortController().signal;

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("Consul's HTTP check", () => {
  test.each([
    [200, 'passing', '200 OK'],
    [204, 'passing', '204 No Content'],
    [429, 'warning', '429 Too Many Requests'],
    [304, 'critical', '304 Not Modified'],
    [404, 'critical', '404 Not Found'],
    [503, 'critical', '503 Service Unavailable'],
  ])('%d is %s', async (code, status, line) => {
    const { port } = await listen(site((_request, response) => response.writeHead(code).end()));
    const url = `http://127.0.0.1:${port}/health`;
    expect(await check(url).run(patient())).toEqual({
      status,
      output: `HTTP GET ${url}: ${line} Output: `,
      code: status === 'passing' ? 'L7OK' : 'L7STS',
      httpStatus: code,
    });
  });

  test('sends what the definition says, and what Consul sends besides', async () => {
    const seen: { method: string | undefined; url: string | undefined; headers: object; body: string }[] = [];
    const { port } = await listen(
      site(async (request, response) => {
        let body = '';
        for await (const chunk of request) body += chunk;
        seen.push({ method: request.method, url: request.url, headers: request.headers, body });
        response.end('ok');
      }),
    );
    await check(`http://127.0.0.1:${port}/a?b=1`).run(patient());
    const header = {
      Host: ['site.example'],
      'X-Twice': ['1', '2'],
      Accept: ['text/html'],
      Connection: ['x'],
    };
    await check(`http://u:p@127.0.0.1:${port}/`, { method: 'PUT', header, body: 'grüße' }).run(patient());
    await check(`http://127.0.0.1:${port}/`, { method: 'GET', body: 'get' }).run(patient());
    expect(seen).toEqual([
      {
        method: 'GET',
        url: '/a?b=1',
        headers: {
          'user-agent': 'Consul Health Check',
          accept: 'text/plain, text/*, */*',
          host: `127.0.0.1:${port}`,
          connection: 'close',
        },
        body: '',
      },
      {
        method: 'PUT',
        url: '/',
        headers: {
          'user-agent': 'Consul Health Check',
          accept: 'text/html',
          'x-twice': '1, 2',
          host: 'site.example',
          authorization: `Basic ${Buffer.from('u:p').toString('base64')}`,
          'content-length': '7',
          connection: 'close',
        },
        body: 'grüße',
      },
      { method: 'GET', url: '/', headers: expect.objectContaining({ 'content-length': '3' }), body: 'get' },
    ]);
  });

  test('keeps the end of the body', async () => {
    const { port } = await listen(site((_request, response) => response.end('0123456789')));
    const result = await check(`http://127.0.0.1:${port}/`, {}, 4).run(patient());
    expect(result.output).toBe(`HTTP GET http://127.0.0.1:${port}/: 200 OK Output: 6789`);
  });

  test('hangs up on a body without end', async () => {
    const { port, open } = await listen(
      site((_request, response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
        };
        response.on('drain', more);
        more();
      }),
    );
    const result = await check(`http://127.0.0.1:${port}/`).run(patient());
    expect(result.status).toBe('passing');
    expect(result.output.endsWith(`Output: ${'x'.repeat(4096)}`)).toBe(true);
    await eventually(() => expect(open.size).toBe(0));
  });

  test('a body that stalls counts by its head once time is up', async () => {
    const timeout = new AbortController();
    const { port, open } = await listen(
      site((_request, response) => {
        response.writeHead(200);
        // So much that it is only sent when most of it has been read; then nothing more comes.
        response.write(Buffer.alloc(6 * 1024 * 1024, 'x'), () => timeout.abort());
      }),
    );
    const result = await check(`http://127.0.0.1:${port}/`, {}, 4).run(timeout.signal);
    expect(result.status).toBe('passing');
    expect(result.output).toBe(`HTTP GET http://127.0.0.1:${port}/: 200 OK Output: xxxx`);
    await eventually(() => expect(open.size).toBe(0));
  });

  test('a server that never answers is timed out', async () => {
    const timeout = new AbortController();
    const { port, open } = await listen(createTcpServer(() => timeout.abort()));
    const url = `http://127.0.0.1:${port}/`;
    expect(await check(url).run(timeout.signal)).toMatchObject({
      status: 'critical',
      output: `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    });
    await eventually(() => expect(open.size).toBe(0));
  });

  test('a refused connection says so', async () => {
    const port = await freePort();
    expect(await check(`http://127.0.0.1:${port}/`).run(patient())).toEqual({
      status: 'critical',
      output: `Get "http://127.0.0.1:${port}/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
      code: 'L4CON',
      httpStatus: undefined,
    });
  });

  test.each([
    ['a reset', (socket: Socket) => socket.resetAndDestroy(), 'SOCKERR'],
    ['a closed connection', (socket: Socket) => socket.destroy(), expect.stringMatching(/SOCKERR|L7RSP/)],
    ['junk', (socket: Socket) => socket.end('220 mail ready\r\n'), 'L7RSP'],
    ['an endless head', (socket: Socket) => endless(socket, 'HTTP/1.1 200 OK\r\n', 'X: y\r\n'), 'L7RSP'],
    [
      'a switch of protocols',
      (socket: Socket) =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
      'L7RSP',
    ],
  ])('%s instead of an answer is critical', async (_name, react, code) => {
    const { port, open } = await listen(
      createTcpServer((socket) => socket.once('data', () => react(socket))),
    );
    expect(await check(`http://127.0.0.1:${port}/`).run(patient())).toMatchObject({
      status: 'critical',
      output: expect.stringMatching(/^Get "http:\/\/127\.0\.0\.1:\d+\/": ./),
      code,
    });
    await eventually(() => expect(open.size).toBe(0));
  });

  test.each([
    ['not a url', 'parse "not a url": invalid URL'],
    ['ftp://127.0.0.1/', 'Get "ftp://127.0.0.1/": unsupported protocol scheme "ftp"'],
    [
      'http://no-such-host.invalid/',
      /^Get "http:\/\/no-such-host\.invalid\/": dial tcp: lookup no-such-host\.invalid: /,
    ],
  ])('%s is critical', async (url, output) => {
    const result = await check(url).run(patient());
    expect(result.status).toBe('critical');
    expect(result.output).toMatch(output);
  });

  test('a header or method that cannot be sent is critical', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const bent = await check(url, { header: { 'X-A': ['a\r\nB: c'] } }).run(patient());
    expect([bent.status, bent.code]).toEqual(['critical', 'L4CON']);
    const odd = await check(url, { method: 'G E T' }).run(patient());
    expect([odd.status, odd.code]).toEqual(['critical', 'L4CON']);
  });

  test('shows no password', async () => {
    const { port } = await listen(site((_request, response) => response.end()));
    const good = await check(`http://u:secret@127.0.0.1:${port}/`).run(patient());
    expect(good.output).toBe(`HTTP GET http://u:***@127.0.0.1:${port}/: 200 OK Output: `);
    const refused = await check(`http://u:secret@127.0.0.1:${await freePort()}/`).run(patient());
    expect(refused.output).toContain('Get "http://u:***@127.0.0.1:');
  });

  test('verifies certificates unless told not to', async () => {
    const server = createTlsServer(selfSigned(), (_request, response) => response.end('tls'));
    const { port } = await listen(server);
    const url = `https://127.0.0.1:${port}/`;
    expect(await check(url).run(patient())).toMatchObject({ status: 'critical', code: 'L6RSP' });
    expect(await check(url, { tlsSkipVerify: true }).run(patient())).toMatchObject({
      status: 'passing',
      output: `HTTP GET ${url}: 200 OK Output: tls`,
    });
  });

  test('asks a TLS server by the name in the URL, not by the Host header', async () => {
    const names: unknown[] = [];
    const server = createTlsServer(selfSigned(), (_request, response) => response.end());
    server.on('secureConnection', (socket) => names.push(socket.servername));
    const { port } = await listen(server);
    const kind = { tlsSkipVerify: true, header: { Host: ['site.example'] } };
    await check(`https://127.0.0.1:${port}/`, kind).run(patient());
    await check(`https://localhost:${port}/`, kind).run(patient());
    expect(names).toEqual([false, 'localhost']);
  });
});

describe('redirects of an HTTP check', () => {
  /** Answers `path → [status, location]`, everything else with 200 and what was asked. */
  async function redirecting(routes: Record<string, [number, string]>) {
    const asked: { line: string; headers: IncomingMessage['headers'] }[] = [];
    const { port } = await listen(
      site((request, response) => {
        asked.push({ line: `${request.method} ${request.url}`, headers: request.headers });
        const [code, location] = routes[request.url ?? ''] ?? [200, undefined];
        response.writeHead(code, location === undefined ? {} : { location }).end('landed');
      }),
    );
    return { port, asked };
  }

  test('are followed, the output names what was asked for', async () => {
    const { port, asked } = await redirecting({ '/a': [302, '/b'], '/b': [301, 'c?d'] });
    const result = await check(`http://127.0.0.1:${port}/a`, { method: 'POST', body: 'x' }).run(patient());
    expect(result.output).toBe(`HTTP POST http://127.0.0.1:${port}/a: 200 OK Output: landed`);
    expect(asked.map(({ line }) => line)).toEqual(['POST /a', 'GET /b', 'GET /c?d']);
    expect(asked[1]?.headers['content-length']).toBeUndefined();
  });

  test('repeat the request for 307 and 308', async () => {
    const { port, asked } = await redirecting({ '/a': [307, '/b'], '/b': [308, '/c'] });
    await check(`http://127.0.0.1:${port}/a`, { method: 'PUT', body: 'x' }).run(patient());
    expect(asked.map(({ line }) => line)).toEqual(['PUT /a', 'PUT /b', 'PUT /c']);
    expect(asked[2]?.headers['content-length']).toBe('1');
  });

  test('end after ten', async () => {
    const { port, asked } = await redirecting({ '/': [302, '/'] });
    const result = await check(`http://127.0.0.1:${port}/`).run(patient());
    expect(result).toMatchObject({
      status: 'critical',
      output: `Get "http://127.0.0.1:${port}/": stopped after 10 redirects`,
    });
    expect(asked).toHaveLength(11);
  });

  test('do not carry credentials or the host name to another host', async () => {
    const other = await redirecting({});
    const first = await redirecting({ '/': [302, `http://127.0.0.1:${other.port}/x`] });
    const header = { Authorization: ['Bearer t'], Cookie: ['a=b'], Host: ['site'], 'X-Keep': ['yes'] };
    await check(`http://127.0.0.1:${first.port}/`, { header }).run(patient());
    expect(first.asked[0]?.headers).toMatchObject({ authorization: 'Bearer t', host: 'site' });
    const { headers } = other.asked[0] ?? {};
    expect(headers).toMatchObject({ 'x-keep': 'yes', host: `127.0.0.1:${other.port}` });
    expect([headers?.authorization, headers?.cookie]).toEqual([undefined, undefined]);
  });

  test.each([
    ['http://169.254.169.254/latest/meta-data/'],
    ['http://[::ffff:169.254.169.254]/'],
    ['http://[fe80::1]/'],
    ['http://2852039166/'],
  ])('to %s are not followed', async (location) => {
    const { port } = await redirecting({ '/': [302, location] });
    const result = await check(`http://127.0.0.1:${port}/`).run(patient());
    expect(result.status).toBe('critical');
    expect(result.output).toContain('is not an address to be checked');
  });

  test('to a scheme that is not HTTP are not followed', async () => {
    const { port } = await redirecting({ '/': [302, 'file:///etc/passwd'] });
    const result = await check(`http://127.0.0.1:${port}/`).run(patient());
    expect(result.output).toBe('Get "file:///etc/passwd": unsupported protocol scheme "file"');
  });

  test.each([
    ['169.254.1.1', true],
    ['fe80::1%eth0', true],
    ['fd00:ec2::254', true],
    ['127.0.0.1', false],
    ['::1', false],
    ['localhost', false],
  ])('%s is link-local: %s', (address, expected) => {
    expect(isLinkLocal(address)).toBe(expected);
  });
});

describe("HAProxy's httpchk", () => {
  test.each([
    [200, 'passing', 'L7OK', ''],
    [302, 'passing', 'L7OK', ''],
    [404, 'critical', 'L7STS', 'Not Found'],
    [503, 'critical', 'L7STS', 'Service Unavailable'],
  ])('%d is %s', async (httpStatus, status, code, output) => {
    const asked: string[] = [];
    const { port, open } = await listen(
      site((request, response) => {
        asked.push(`${request.method} ${request.url} ${request.headers.host}`);
        // The body never ends: the head is enough.
        response.writeHead(httpStatus, { location: '/elsewhere' }).write('x');
      }),
    );
    const probe = httpchkProbe({ host: '127.0.0.1', port }, { method: 'OPTIONS', uri: '/ping' });
    expect(await probe.run(patient())).toEqual({ status, output, code, httpStatus });
    expect(asked).toEqual([`OPTIONS /ping 127.0.0.1:${port}`]);
    await eventually(() => expect(open.size).toBe(0));
  });

  test('tells refused, silent and junk apart', async () => {
    const chk = { method: 'GET', uri: '/' };
    const refused = httpchkProbe({ host: '127.0.0.1', port: await freePort() }, chk);
    expect(await refused.run(patient())).toMatchObject({ code: 'L4CON', output: 'Connection refused' });

    const timeout = new AbortController();
    const silent = await listen(createTcpServer((socket) => socket.on('data', () => timeout.abort())));
    const hung = httpchkProbe({ host: '127.0.0.1', port: silent.port }, chk);
    expect(await hung.run(timeout.signal)).toMatchObject({ code: 'L7TOUT', output: '' });

    const talker = await listen(createTcpServer((socket) => socket.end('hello\r\n\r\n')));
    const junk = httpchkProbe({ host: '127.0.0.1', port: talker.port }, chk);
    expect(await junk.run(patient())).toMatchObject({ status: 'critical', code: 'L7RSP' });
  });

  test('an aborted signal is a timeout before anything is opened', async () => {
    const probe = httpchkProbe({ host: '127.0.0.1', port: 1 }, { method: 'GET', uri: '/' });
    expect(await probe.run(AbortSignal.abort())).toMatchObject({ code: 'L4TOUT' });
  });
});

function endless(socket: Socket, head: string, line: string): void {
  socket.write(head);
  const more = () => {
    while (!socket.destroyed && socket.write(line.repeat(1000)));
  };
  socket.on('drain', more);
  more();
}
