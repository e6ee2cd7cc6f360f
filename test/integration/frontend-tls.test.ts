import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type AppUnderTest, startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { startWeb } from '../helpers/web.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-tls-'));
  for (const host of ['a.example', 'b.example', '*.c.example', 'new.example']) {
    const { key, cert } = selfSigned(host);
    writeFileSync(join(folder, `${host}.pem`), cert + key);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const crt = (host: string) => `crt ${join(folder, `${host}.pem`)}`;

function configOf(lane: string, backend: number, certificates: string, more = ''): string {
  return `
defaults: { timeout: { http-request: 1s, client: 5s } }
frontends:
  www:
    bind: "127.0.0.1:0 ssl ${certificates}"
    option: [forwardfor, http-lane ${lane}, httplog]
    ${more}
    default_backend: web
backends: { web: { servers: [{ address: "127.0.0.1:${backend}" }] } }
`;
}

function portOf(vane: AppUnderTest): number {
  return Number(new URL(vane.frontend('www')).port);
}

/** A client that trusts anybody: certificates of tests are signed by themselves. */
function client(port: number, servername = 'a.example', more: object = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false, ...more });
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

async function namedBy(port: number, servername: string): Promise<string> {
  const socket = await client(port, servername);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

async function get(port: number, path: string, body?: Buffer): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const method = body ? 'POST' : 'GET';
  const options = { port, host: '127.0.0.1', path, method, rejectUnauthorized: false, agent: false };
  const outgoing = request(options, async (response) => {
    resolve({ status: response.statusCode ?? 0, body: await text(response) });
  });
  outgoing.on('error', reject).end(body);
  return promise;
}

async function series(vane: AppUnderTest, name: string): Promise<number> {
  const body = await (await fetch(`${vane.stats}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{proxy="www"\\} (\\S+)$`, 'm').exec(body)?.[1]);
}

describe.each(['direct', 'compat'])('TLS of a frontend, over the %s lane,', (lane) => {
  test('carries requests, tells the server, and can be tested by rules', async () => {
    await using web = await startWeb((incoming, response) => {
      response.end(`${incoming.headers['x-forwarded-proto']} ${incoming.headers['x-secure']}`);
    });
    const rules = 'http-request: ["set-header X-Secure yes if { ssl_fc }", "deny if !{ ssl_fc }"]';
    await using vane = await startApp(configOf(lane, web.port, crt('a.example'), rules));
    expect(await get(portOf(vane), '/')).toEqual({ status: 200, body: 'https yes' });
    await eventually(() => expect(vane.access).toHaveLength(1));
  });

  test('carries bodies of any size both ways, and many requests on one connection', async () => {
    const large = Buffer.alloc(3_000_000, 'x');
    await using web = await startWeb(async (incoming, response) => {
      const body = await text(incoming);
      response.end(incoming.url === '/echo' ? body : String(body.length));
    });
    await using vane = await startApp(configOf(lane, web.port, crt('a.example')));
    const echoed = await get(portOf(vane), '/echo', large);
    expect(echoed.body.length).toBe(large.length);
    const socket = await client(portOf(vane));
    socket.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3));
    expect((await text(socket)).match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  });

  test('carries WebSockets', async () => {
    await using web = await startWeb((_request, response) => response.end());
    const sockets = new WebSocketServer({ server: web.server });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    await using vane = await startApp(configOf(lane, web.port, crt('a.example')));
    const socket = new WebSocket(`wss://127.0.0.1:${portOf(vane)}/`, { rejectUnauthorized: false });
    const echo = await new Promise((resolve, reject) => {
      socket.once('open', () => socket.send('hello'));
      socket.once('message', (data) => resolve(String(data)));
      socket.once('error', reject);
    });
    expect(echo).toBe('hello');
    // What is left at the end of a graceful stop is told to go.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await vane.app.stop();
    expect(await closed).toBe(1001);
    sockets.close();
  });
});

describe('TLS of a frontend', () => {
  test('shows the certificate of the name that is asked for, and the first to everybody else', async () => {
    await using web = await startWeb('a');
    const all = [crt('a.example'), crt('b.example'), crt('*.c.example')].join(' ');
    await using vane = await startApp(configOf('direct', web.port, all));
    const port = portOf(vane);
    expect(await namedBy(port, 'b.example')).toBe('b.example');
    expect(await namedBy(port, 'www.c.example')).toBe('*.c.example');
    expect(await namedBy(port, 'a.example')).toBe('a.example');
    expect(await namedBy(port, 'unknown.example')).toBe('a.example');
    expect(await namedBy(port, '')).toBe('a.example');
  });

  test.each([
    ['', ['h2', 'http/1.1'], 'h2'],
    ['', ['http/1.1', 'h2'], 'h2'],
    ['', ['http/1.1'], 'http/1.1'],
    ['alpn http/1.1', ['h2', 'http/1.1'], 'http/1.1'],
    ['alpn http/1.1,h2', ['h2', 'http/1.1'], 'http/1.1'],
    ['alpn h2', ['h2', 'http/1.1'], 'h2'],
    ['', undefined, false],
  ])('with %j agrees with clients that offer %j on %j', async (words, ALPNProtocols, agreed) => {
    await using web = await startWeb('a');
    await using vane = await startApp(configOf('direct', web.port, `${crt('a.example')} ${words}`));
    const socket = await client(portOf(vane), 'a.example', ALPNProtocols && { ALPNProtocols });
    expect(socket.alpnProtocol).toBe(agreed);
    socket.destroy();
  });

  test('agrees on no version below the least', async () => {
    await using web = await startWeb('a');
    const least = `${crt('a.example')} ssl-min-ver TLSv1.3`;
    await using vane = await startApp(configOf('direct', web.port, least));
    const socket = await client(portOf(vane), 'a.example');
    expect(socket.getProtocol()).toBe('TLSv1.3');
    socket.destroy();
    await expect(client(portOf(vane), 'a.example', { maxVersion: 'TLSv1.2' })).rejects.toThrow();
    await eventually(async () => expect(await series(vane, 'vane_tls_failed_handshakes_total')).toBe(1));
  });

  test('ends clients that speak no TLS or nothing at all, counts them, and keeps no connection', async () => {
    await using web = await startWeb('a');
    await using vane = await startApp(configOf('direct', web.port, crt('a.example')));
    const ended: Promise<unknown>[] = [];
    for (const says of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', '']) {
      const socket = connectPlain(portOf(vane), '127.0.0.1');
      socket.on('error', () => {});
      ended.push(new Promise((resolve) => socket.once('close', resolve)));
      socket.resume().write(says);
    }
    await Promise.all(ended);
    await eventually(async () => {
      expect(await series(vane, 'vane_tls_failed_handshakes_total')).toBe(2);
      expect(await series(vane, 'haproxy_frontend_current_sessions')).toBe(0);
    });
  });

  test('changes its certificate by a reload that nobody notices', async () => {
    await using web = await startWeb('a');
    await using vane = await startApp(configOf('direct', web.port, crt('a.example')));
    const port = portOf(vane);
    const socket = await client(port);
    const file = join(folder, 'a.example.pem');
    const { key, cert } = selfSigned('renewed.example');
    writeFileSync(file, cert + key);
    await vane.reload(configOf('direct', web.port, crt('a.example')));
    expect(portOf(vane)).toBe(port);
    expect(await namedBy(port, 'a.example')).toBe('renewed.example');
    socket.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200/);
  });

  test('keeps the sessions of its clients over a reload of something else', async () => {
    await using web = await startWeb('a');
    await using vane = await startApp(configOf('direct', web.port, crt('b.example')));
    const twelve = { maxVersion: 'TLSv1.2' };
    const first = await client(portOf(vane), 'b.example', twelve);
    const session = first.getSession();
    first.destroy();
    await vane.reload(configOf('direct', web.port, crt('b.example'), 'maxconn: 100'));
    const second = await client(portOf(vane), 'b.example', { ...twelve, session });
    expect(second.isSessionReused()).toBe(true);
    second.destroy();
  });

  test('does not outlive a stop, wherever the handshake is', async () => {
    await using web = await startWeb('a');
    const vane = await startApp(configOf('direct', web.port, crt('b.example')));
    const silent = connectPlain(portOf(vane), '127.0.0.1');
    silent.on('error', () => {});
    const closed = new Promise((resolve) => silent.once('close', resolve));
    await eventually(async () => expect(await series(vane, 'haproxy_frontend_current_sessions')).toBe(1));
    await vane.app.stop();
    await closed;
  });

  test('stands before TCP too', async () => {
    await using web = await startWeb('hello');
    await using vane = await startApp(`
frontends: { www: { mode: tcp, bind: "127.0.0.1:0 ssl ${crt('b.example')}", default_backend: web } }
backends: { web: { mode: tcp, servers: [{ address: "127.0.0.1:${web.port}" }] } }
`);
    const socket = await client(portOf(vane), 'b.example');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200[\s\S]*hello$/);
  });
});
