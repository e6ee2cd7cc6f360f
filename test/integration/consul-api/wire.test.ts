import { once } from 'node:events';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

let under: ConsulApiUnderTest;
beforeEach(async () => {
  under = await startConsulApi({ connectionsPerClient: 5 });
});
afterEach(() => under.close());

/** Sends bytes on a connection of its own and returns all that comes back until the server ends it. */
async function raw(request: string): Promise<Buffer> {
  const socket = connect(under.api.port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  // A refused connection may end in a reset, after the answer.
  socket.on('error', () => {});
  socket.write(request);
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

const get = (path: string, more = '') =>
  raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n`);

test('headers go out in the spelling of Go', async () => {
  const answer = (await get('/v1/catalog/services')).toString();
  for (const name of [
    'X-Consul-Index: ',
    'X-Consul-Knownleader: true',
    'X-Consul-Lastcontact: 0',
    'X-Consul-Effective-Consistency: leader',
    'X-Consul-Default-Acl-Policy: allow',
    'Vary: Accept-Encoding',
    'Content-Type: application/json\r\n',
  ]) {
    expect(answer).toContain(`\r\n${name}`);
  }
});

describe('compression', () => {
  const body = (answer: Buffer) => answer.subarray(answer.indexOf('\r\n\r\n') + 4);

  test('of long answers, for those who ask', async () => {
    await under.call('PUT', '/v1/agent/service/register', { Name: 'a', Tags: ['x'.repeat(2_000)] });
    const plain = await get('/v1/agent/services');
    expect(plain.toString()).not.toContain('Content-Encoding');
    const packed = await get('/v1/agent/services', 'Accept-Encoding: br, gzip\r\n');
    expect(packed.toString('latin1')).toContain('\r\nContent-Encoding: gzip\r\n');
    expect(gunzipSync(body(packed)).toString()).toBe(body(plain).toString());
    expect((await get('/v1/agent/services', 'Accept-Encoding: gzip;q=0\r\n')).toString()).not.toContain(
      'Content-Encoding',
    );
  });

  test('not of short ones', async () => {
    expect((await get('/v1/agent/services', 'Accept-Encoding: gzip\r\n')).toString()).not.toContain(
      'Content-Encoding',
    );
  });
});

test('a body beyond 512 KB is refused as soon as that much has been read', async () => {
  const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
  const head =
    'PUT /v1/agent/service/register HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
  // No last chunk: the answer cannot be waiting for the end.
  const answer = (await raw(head + chunk.repeat(17))).toString();
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain('Request body too large, max size: 524288 bytes');
});

test('one client gets only so many connections at once', async () => {
  const held = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const socket = connect(under.api.port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    }),
  );
  const refused = (await get('/v1/status/leader')).toString();
  expect(refused).toMatch(/^HTTP\/1\.1 429 /);
  expect(refused).toContain(
    'Your IP is issuing too many concurrent connections, please rate limit your calls',
  );
  for (const socket of held) socket.destroy();
});

test('other names than loopback ones are refused on loopback', async () => {
  const answer = (
    await raw('GET /v1/agent/self HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n')
  ).toString();
  expect(answer).toMatch(/^HTTP\/1\.1 403 /);
});

test('a write from a page of another origin is refused, and does nothing', async () => {
  const answer = await under.call(
    'PUT',
    '/v1/agent/service/register',
    { Name: 'x' },
    { Origin: 'http://evil.example' },
  );
  expect(answer.status).toBe(403);
  expect((await under.call('GET', '/v1/agent/services')).json).toEqual({});
});

describe('paths', () => {
  test.each([
    ['//v1/agent/self', '/v1/agent/self'],
    ['/v1//catalog/services?x=1', '/v1/catalog/services?x=1'],
    ['/v1/catalog/./services', '/v1/catalog/services'],
    ['/v1/agent/../status/leader', '/v1/status/leader'],
    ['//evil.example/%2e%2e', '/'],
    ['/v1/agent/service/deregister', '/v1/agent/service/deregister/'],
  ])('%s redirects to %s', async (path, target) => {
    const answer = (await get(path)).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 301 /);
    expect(answer).toContain(`\r\nLocation: ${target}\r\n`);
  });

  test.each(['/v1/nope', '/V1/agent/self', '/v1/agent/services/', '/v1', '/v1/'])(
    '%s is unknown',
    async (path) => {
      const answer = (await get(path)).toString();
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
      expect(answer).toContain('\r\nContent-Length: 0\r\n');
      expect(answer).not.toContain('Content-Type');
      expect(answer).not.toContain('X-Consul');
    },
  );

  test.each(['/v1/agent/service/%zz', '/v1/agent/service/%0d%0aX-Injected:1', '/v1/agent/service/%ff', '*'])(
    '%s is no path',
    async (path) => {
      expect((await get(path)).toString()).toMatch(/^HTTP\/1\.1 40[04] /);
    },
  );

  test('a name in the path may have spaces and slashes', async () => {
    await under.call('PUT', '/v1/agent/service/register', { ID: 'a b/c', Name: 'x' });
    expect((await under.call('GET', '/v1/agent/service/a%20b/c')).json).toMatchObject({ ID: 'a b/c' });
    await under.call('PUT', '/v1/agent/service/deregister/a%20b%2Fc');
    expect((await under.call('GET', '/v1/agent/services')).json).toEqual({});
  });
});
