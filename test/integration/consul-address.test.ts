import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { printing, runConsul } from '../../src/cli/consul/command.ts';
import { KV_COMMANDS } from '../../src/cli/consul/kv.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-address-'));
afterAll(() => rmSync(folder, { recursive: true }));
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** What came, in order. */
interface Seen {
  readonly requests: { readonly target: string; readonly token: unknown }[];
}

function answering(): Seen & { readonly listener: RequestListener } {
  const requests: Seen['requests'] = [];
  return {
    requests,
    listener: (request: IncomingMessage, answer) => {
      requests.push({ target: `${request.url}`, token: request.headers['x-consul-token'] });
      answer.end('[{"Key":"k","Value":"dmFsdWU=","Flags":0}]');
    },
  };
}

async function listen(server: Server, at: string | number): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) =>
    typeof at === 'string' ? server.listen(at, resolve) : server.listen(at, '127.0.0.1', resolve),
  );
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function get(words: readonly string[], env: Record<string, string>) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const context = { env, stdin: Readable.from([]), stdout, ...printing(stdout, stderr) };
  const code = await runConsul('kv', KV_COMMANDS, ['get', ...words, 'k'], context);
  for (const stream of [stdout, stderr]) stream.end();
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('where a registry is asked', () => {
  test('https, trusted by CONSUL_CACERT or -ca-file, or by nobody at all', async () => {
    const { key, cert } = selfSigned('localhost');
    const { listener } = answering();
    const port = await listen(createSecureServer({ key, cert }, listener), 0);
    const ca = file('ca.pem', cert);
    const env = { CONSUL_HTTP_ADDR: `https://127.0.0.1:${port}` };
    const named = { ...env, CONSUL_TLS_SERVER_NAME: 'localhost' };
    expect(await get([], { ...named, CONSUL_CACERT: ca })).toMatchObject({ code: 0, out: 'value\n' });
    expect(await get([`-ca-file=${ca}`, '-tls-server-name=localhost'], env)).toMatchObject({ code: 0 });
    expect(await get([], { ...env, CONSUL_HTTP_SSL_VERIFY: 'false' })).toMatchObject({ code: 0 });
    const bare = {
      CONSUL_HTTP_ADDR: `127.0.0.1:${port}`,
      CONSUL_HTTP_SSL: 'true',
      CONSUL_HTTP_SSL_VERIFY: '0',
    };
    expect(await get([], bare)).toMatchObject({ code: 0 });
    const distrusted = await get([], env);
    expect(distrusted.code).toBe(1);
    expect(distrusted.err).toMatch(/self.signed certificate/);
    expect((await get([], { ...env, CONSUL_CACERT: join(folder, 'none.pem') })).err).toContain(
      'cannot be read',
    );
    expect((await get(['-client-cert=x'], env)).err).toContain('-client-cert and -client-key go together');
    expect((await get([], { ...env, CONSUL_HTTP_SSL_VERIFY: 'perhaps' })).err).toContain('is true or false');
  });

  test('unix:// is a socket', async () => {
    const { listener, requests } = answering();
    const path = join(folder, 'consul.sock');
    await listen(createServer(listener), path);
    expect(await get([`-http-addr=unix://${path}`], {})).toMatchObject({ code: 0, out: 'value\n' });
    expect(requests).toEqual([{ target: '/v1/kv/k', token: undefined }]);
    const nobody = await get([], { CONSUL_HTTP_ADDR: `unix://${path}.none` });
    expect(nobody.err).toContain(`unix://${path}.none cannot be asked`);
  });

  test('other schemes are refused', async () => {
    expect((await get(['-http-addr=ftp://127.0.0.1'], {})).err).toContain(
      'only http://, https:// and unix:// can be asked',
    );
  });
});

describe('what is shown', () => {
  test('the token of a file, a flag or the environment; and which datacenter is meant', async () => {
    const { listener, requests } = answering();
    const port = await listen(createServer(listener), 0);
    const env = { CONSUL_HTTP_ADDR: `http://127.0.0.1:${port}` };
    const path = file('token', ' out-of-a-file \n');
    await get([], { ...env, CONSUL_HTTP_TOKEN: 'of-the-environment' });
    await get([], { ...env, CONSUL_HTTP_TOKEN: 'of-the-environment', CONSUL_HTTP_TOKEN_FILE: path });
    await get([`-token-file=${path}`, '-token=of-a-flag'], env);
    await get(['-token=of-a-flag'], { ...env, CONSUL_HTTP_TOKEN_FILE: path });
    await get(['-datacenter=dc2'], env);
    expect(requests).toEqual([
      { target: '/v1/kv/k', token: 'of-the-environment' },
      { target: '/v1/kv/k', token: 'out-of-a-file' },
      { target: '/v1/kv/k', token: 'out-of-a-file' },
      { target: '/v1/kv/k', token: 'of-a-flag' },
      { target: '/v1/kv/k?dc=dc2', token: undefined },
    ]);
    expect((await get([`-token-file=${path}.none`], env)).err).toContain('cannot be read');
  });
});
