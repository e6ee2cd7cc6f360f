import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppUnderTest, startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { needs } from '../helpers/needs.ts';
import { startProgram } from '../helpers/program.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { startWeb } from '../helpers/web.ts';

let folder: string;
let pem: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-proxy-'));
  const { key, cert } = selfSigned('a.example');
  pem = join(folder, 'a.pem');
  writeFileSync(pem, cert + key);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HEAD = 'PROXY TCP4 203.0.113.9 198.51.100.7 4711 80\r\n';
const V2_HEAD = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb007109c633640712670050', 'hex');
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';

function portOf(vane: AppUnderTest): number {
  return Number(new URL(vane.frontend('www')).port);
}

/** What comes back for these words, said one by one, until the other side ends. */
async function ask(port: number, ...words: readonly (string | Buffer)[]): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const answer = text(socket);
  for (const word of words) {
    socket.write(word);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return answer;
}

/** Answers each connection with the first line that it said, and ends it. */
async function startListener() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    let said = '';
    socket.setEncoding('latin1').on('data', (more: string) => {
      said += more;
      // The head, and what the client says behind it.
      if (said.split('\r\n').length > 2) socket.end(said);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const httpConfig = (lane: string, port: number, words: string) => `
defaults: { timeout: { http-request: 2s, client: 5s } }
frontends:
  www: { bind: "127.0.0.1:0 ${words}", option: [forwardfor, http-lane ${lane}, httplog], default_backend: web }
backends: { web: { servers: [{ address: "127.0.0.1:${port}" }] } }
`;

describe.each(['direct', 'compat'])('accept-proxy of a frontend, over the %s lane,', (lane) => {
  const startEcho = () =>
    startWeb((incoming, response) => {
      response.end(`for ${incoming.headers['x-forwarded-for']}`);
    });

  test.each([
    ['version 1', HEAD],
    ['version 2', V2_HEAD],
  ])('takes the client from the head: %s', async (_, head) => {
    await using web = await startEcho();
    await using vane = await startApp(httpConfig(lane, web.port, 'accept-proxy'));
    expect(await ask(portOf(vane), Buffer.concat([Buffer.from(head), Buffer.from(GET)]))).toContain(
      'for 203.0.113.9',
    );
    // In pieces, wherever they are cut.
    const pieces = [...Buffer.from(head)].map((byte) => Buffer.from([byte]));
    expect(await ask(portOf(vane), ...pieces, GET.slice(0, 9), GET.slice(9))).toContain('for 203.0.113.9');
    await eventually(() =>
      expect(vane.access[0]?.client).toMatchObject({ address: '203.0.113.9', port: 4711 }),
    );
  });

  test('ends who does not begin so, and serves who is not trusted as who he is', async () => {
    await using web = await startEcho();
    await using strict = await startApp(httpConfig(lane, web.port, 'accept-proxy'));
    await expect(ask(portOf(strict), GET)).rejects.toThrow(/ECONNRESET/);
    await using mixed = await startApp(httpConfig(lane, web.port, 'accept-proxy proxy-from 10.0.0.0/8'));
    expect(await ask(portOf(mixed), GET)).toContain('for 127.0.0.1');
    expect(await ask(portOf(mixed), HEAD, GET)).toMatch(/^HTTP\/1.1 400/);
  });

  test('goes before TLS', async () => {
    await using web = await startEcho();
    await using vane = await startApp(httpConfig(lane, web.port, `accept-proxy ssl crt ${pem}`));
    const socket = connect({ port: portOf(vane), host: '127.0.0.1' });
    socket.write(HEAD);
    const secure = connectTls({ socket, servername: 'a.example', rejectUnauthorized: false });
    secure.write(GET);
    expect(await text(secure)).toContain('for 203.0.113.9');
  });

  test.each(['send-proxy', 'send-proxy-v2'])('%s tells a server whose each request is', async (key) => {
    await using web = await startEcho();
    const behind = httpConfig(lane, web.port, 'accept-proxy').replace('forwardfor', 'redispatch');
    await using inner = await startApp(behind.replace('option: [redispatch, ', 'option: [forwardfor, '));
    await using outer = await startApp(`
defaults: { option: [http-lane ${lane}], timeout: { client: 5s } }
frontends: { www: { bind: "127.0.0.1:0 accept-proxy", default_backend: web } }
backends:
  web:
    servers: [{ address: "127.0.0.1:${portOf(inner)}", ${key}: true, check: inter 100ms fall 100 }]
    option: [httpchk GET /]
`);
    expect(await ask(portOf(outer), HEAD, GET)).toContain('for 203.0.113.9');
    // Another client over the same server: the connection of the first is not used again.
    const other = HEAD.replace('203.0.113.9', '203.0.113.10');
    expect(await ask(portOf(outer), other, GET)).toContain('for 203.0.113.10');
    // Checks say that they are nobody's.
    await eventually(async () => {
      const scrape = await (await fetch(`${outer.stats}/metrics`)).text();
      expect(scrape).toMatch(/^haproxy_server_check_status\{[^}]*state="L7OK"[^}]*\} 1$/m);
    });
  });
});

describe('the PROXY protocol in mode tcp', () => {
  const tcpConfig = (port: number, bind: string, server: string) => `
frontends: { www: { mode: tcp, bind: "127.0.0.1:0 ${bind}", default_backend: t } }
backends: { t: { mode: tcp, servers: [{ address: "127.0.0.1:${port}", ${server} }] } }
`;

  test('is passed on: the server hears of the first client', async () => {
    await using server = await startListener();
    await using vane = await startApp(tcpConfig(server.port, 'accept-proxy', 'send-proxy: true'));
    expect(await ask(portOf(vane), HEAD, 'hello\r\n')).toBe(`${HEAD}hello\r\n`);
    await using second = await startApp(tcpConfig(server.port, 'accept-proxy', 'send-proxy-v2: true'));
    const V2 = V2_HEAD.toString('latin1');
    expect(await ask(portOf(second), HEAD, 'hello\r\n\r\n')).toContain(V2.slice(0, 28));
  });

  test('is ended for who says nothing, after its time', async () => {
    await using server = await startListener();
    await using vane = await startApp(tcpConfig(server.port, 'accept-proxy', 'send-proxy: true'));
    await expect(ask(portOf(vane))).rejects.toThrow(/ECONNRESET/);
  });
});

needs('haproxy', 'haproxy').describe('the PROXY protocol with HAProxy', () => {
  async function startHaproxy(bind: string, server: string, listen: string) {
    const file = join(folder, `haproxy-${bind.split(':')[1]?.split(' ')[0]}.cfg`);
    writeFileSync(
      file,
      `global
  maxconn 100
defaults
  mode tcp
  timeout connect 2s
  timeout client 5s
  timeout server 5s
listen ${listen}
  bind ${bind}
  server s ${server}
`,
    );
    const program = startProgram('haproxy', ['-db', '-f', file]);
    const port = Number(bind.split(' ')[0]?.split(':')[1]);
    await eventually(
      () =>
        new Promise<void>((resolve, reject) => {
          const probe = connect({ port, host: '127.0.0.1' });
          probe.once('connect', () => resolve(probe.destroy() && undefined));
          probe.once('error', reject);
        }),
    );
    return program;
  }

  for (const version of ['send-proxy', 'send-proxy-v2']) {
    for (const lane of ['direct', 'compat']) {
      test(`${version} of HAProxy is read, over the ${lane} lane`, async () => {
        await using web = await startWeb((incoming, response) => {
          response.end(`for ${incoming.headers['x-forwarded-for']}`);
        });
        await using vane = await startApp(httpConfig(lane, web.port, 'accept-proxy'));
        const [at = ''] = await freeAddresses(1);
        await using _ = await startHaproxy(`${at} accept-proxy`, `127.0.0.1:${portOf(vane)} ${version}`, 'x');
        expect(await ask(Number(at.split(':')[1]), HEAD, GET)).toContain('for 203.0.113.9');
      });
    }

    test(`${version} of Vane is read by HAProxy`, async () => {
      await using server = await startListener();
      const [at = ''] = await freeAddresses(1);
      await using _ = await startHaproxy(`${at} accept-proxy`, `127.0.0.1:${server.port} send-proxy`, 'x');
      await using vane = await startApp(`
frontends: { www: { mode: tcp, bind: "127.0.0.1:0 accept-proxy", default_backend: t } }
backends: { t: { mode: tcp, servers: [{ address: "${at}", ${version}: true }] } }
`);
      // HAProxy writes down what it has read of Vane, which is what Vane has read of the test.
      expect(await ask(portOf(vane), HEAD, 'hello\r\n')).toBe(`${HEAD}hello\r\n`);
    });
  }
});
