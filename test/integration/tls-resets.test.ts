import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type AppUnderTest, startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const site = selfSigned();
let folder: string;
let crt: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-tls-resets-'));
  crt = join(folder, 'site.pem');
  writeFileSync(crt, site.cert + site.key);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A server, encrypted or not, that keeps its connections; over TLS `raw` has what lies under them. */
async function origin(tls: boolean) {
  const sockets: Socket[] = [];
  const raw: Socket[] = [];
  const take = (socket: Socket) => {
    socket.on('error', () => {});
    sockets.push(socket.resume());
  };
  const server = tls ? createTlsServer(site, take) : createServer(take);
  server.on('connection', (socket: Socket) => raw.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  onTestFinished(() => {
    for (const socket of raw) socket.destroy();
    server.close();
  });
  return { port: typeof address === 'object' && address ? address.port : 0, sockets, raw };
}

async function client(port: number, tls: boolean): Promise<Socket> {
  const options = { port, host: '127.0.0.1', rejectUnauthorized: false };
  const socket: Socket = tls ? connect(options) : connectPlain(options);
  await new Promise((resolve, reject) =>
    socket.once(tls ? 'secureConnect' : 'connect', resolve).once('error', reject),
  );
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

const tcp = (port: number, front: boolean, back: boolean) => `
frontends: { www: { mode: tcp, bind: "127.0.0.1:0${front ? ` ssl crt ${crt}` : ''}", default_backend: web } }
backends: { web: { mode: tcp, servers: [{ address: "127.0.0.1:${port}"${back ? ', ssl: verify none' : ''} }] } }
`;

const portOf = (vane: AppUnderTest) => Number(new URL(vane.frontend('www')).port);

async function sessions(vane: AppUnderTest): Promise<number> {
  const text = await (await fetch(`${vane.stats}/metrics`)).text();
  return Number(/^haproxy_frontend_current_sessions\{proxy="www"\} (\S+)$/m.exec(text)?.[1]);
}

describe.each([
  ['to the client', true, false],
  ['to the server', false, true],
  ['on both sides', true, true],
])('TCP with TLS %s', (_, front, back) => {
  test('survives a server that breaks off', async () => {
    const server = await origin(back);
    await using vane = await startApp(tcp(server.port, front, back));
    const socket = await client(portOf(vane), front);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('hello');
    await eventually(() => expect(server.sockets).toHaveLength(1));
    if (back) server.sockets[0]?.destroy();
    else server.raw[0]?.resetAndDestroy();
    await closed;
    await eventually(async () => expect(await sessions(vane)).toBe(0));
  });

  test('survives a client that breaks off', async () => {
    const server = await origin(back);
    await using vane = await startApp(tcp(server.port, front, back));
    const socket = await client(portOf(vane), front);
    socket.write('hello');
    await eventually(() => expect(server.sockets).toHaveLength(1));
    if (front) socket.destroy();
    else socket.resetAndDestroy();
    await eventually(async () => expect(await sessions(vane)).toBe(0));
    await eventually(() => expect(server.raw[0]?.destroyed).toBe(true));
  });

  test('is cut when Vane stops', async () => {
    const server = await origin(back);
    const vane = await startApp(tcp(server.port, front, back));
    const socket = await client(portOf(vane), front);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('hello');
    await eventually(() => expect(server.sockets).toHaveLength(1));
    await vane.app.stop();
    await closed;
  });
});

describe.each(['direct', 'compat'])('a WebSocket over TLS, over the %s lane,', (lane) => {
  test('whose server resets it ends alone', async () => {
    const server = await origin(false);
    await using vane = await startApp(`
frontends: { www: { bind: "127.0.0.1:0 ssl crt ${crt}", option: [http-lane ${lane}], default_backend: web } }
backends: { web: { servers: [{ address: "127.0.0.1:${server.port}" }] } }
`);
    const socket = await client(portOf(vane), true);
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await eventually(() => expect(server.raw).toHaveLength(1));
    server.raw[0]?.write('HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello');
    await eventually(() => expect(text).toContain('hello'));
    server.raw[0]?.resetAndDestroy();
    await closed;
    await eventually(async () => expect(await sessions(vane)).toBe(0));
  });
});
