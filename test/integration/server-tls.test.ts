import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const site = selfSigned('api.example');
let folder: string;
let ca: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-server-tls-'));
  ca = join(folder, 'ca.pem');
  writeFileSync(ca, site.cert);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A web server that answers with the name it was asked for, and over how many connections. */
async function startSecureWeb() {
  let connections = 0;
  const server: Server = createServer(site, (request, response) => {
    const { servername } = request.socket as TLSSocket;
    if (request.url === '/echo') request.pipe(response);
    else response.end(`${servername} ${connections}`);
  });
  server.on('secureConnection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const config = (port: number, ssl: string, { more = '', check = '' } = {}) => `
defaults: { retries: 1, timeout: { connect: 2s } ${more} }
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: [{ address: "127.0.0.1:${port}", ssl: ${ssl}${check} }], option: [httpchk GET /] } }
`;

async function get(url: string): Promise<string> {
  const answer = await fetch(url);
  return `${answer.status} ${await answer.text()}`;
}

describe('TLS to a server', () => {
  test.each(['direct', 'compat'])('over the %s lane carries requests and is used again', async (lane) => {
    await using web = await startSecureWeb();
    const text = config(web.port, `"ca-file ${ca} sni api.example"`, {
      more: `, option: [http-lane ${lane}]`,
    });
    await using vane = await startApp(text);
    const first = await get(vane.frontend('www'));
    expect(first).toMatch(/^200 api\.example \d+$/);
    const body = 'x'.repeat(1_000_000);
    const echo = await fetch(`${vane.frontend('www')}/echo`, { method: 'POST', body });
    expect(await echo.text()).toBe(body);
    const scrape = await (await fetch(`${vane.stats}/metrics`)).text();
    expect(scrape).toMatch(/^haproxy_server_connection_attempts_total\{[^}]*\} 1$/m);
  });

  test.each([
    ['that nobody trusts', 'true', /502|503/],
    ['of another name', () => `"ca-file ${ca} sni other.example"`, /502|503/],
    ['that nobody looks at', '"verify none"', /200/],
  ])('with a certificate %s', async (_, ssl, status) => {
    await using web = await startSecureWeb();
    await using vane = await startApp(config(web.port, typeof ssl === 'string' ? ssl : ssl()));
    expect(await get(vane.frontend('www'))).toMatch(status);
  });

  test('is what HTTP checks speak, too', async () => {
    await using web = await startSecureWeb();
    const checked = { check: ', check: inter 500ms rise 1 fall 1' };
    await using vane = await startApp(config(web.port, `"ca-file ${ca} sni api.example"`, checked));
    const code = async () => {
      const text = await (await fetch(`${vane.stats}/metrics`)).text();
      return /^haproxy_server_check_status\{[^}]*state="(\w+)"[^}]*\} 1$/m.exec(text)?.[1];
    };
    await eventually(async () => expect(await code()).toBe('L7OK'));
    await vane.reload(config(web.port, `"ca-file ${ca} sni other.example"`, checked));
    await eventually(async () => expect(await code()).toBe('L6RSP'));
  });

  test('holds for every connection from a reload on', async () => {
    await using web = await startSecureWeb();
    await using vane = await startApp(config(web.port, `"ca-file ${ca} sni api.example"`));
    expect(await get(vane.frontend('www'))).toMatch(/^200/);
    const before = vane.frontend('www');
    await vane.reload(config(web.port, '"verify none sni new.example"'));
    expect(vane.frontend('www')).toBe(before);
    expect(await get(before)).toMatch(/^200 new\.example /);
  });
});
