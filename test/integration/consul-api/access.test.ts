import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startConsulApi } from '../../helpers/consul-api.ts';
import { recordedLog } from '../../helpers/registry.ts';
import { accessWith } from '../../helpers/tokens.ts';
import { type AccessRig, startAccessRig, TOKENS, type Who } from './access-rig.ts';

const DENIED = 'Permission denied';

let consul: AccessRig;
const as: AccessRig['as'] = (...request) => consul.as(...request);
const put = (who: Who, path: string, body?: unknown) => as(who, 'PUT', path, body);
const json = async (who: Who, path: string) => (await as(who, 'GET', path)).json;

beforeAll(async () => {
  consul = await startAccessRig();
});
afterAll(() => consul.close());

describe('a token', () => {
  test.each([
    ['X-Consul-Token', { 'X-Consul-Token': 'reader' }, ''],
    ['Authorization', { Authorization: 'Bearer reader' }, ''],
    ['Authorization in any case', { Authorization: 'bEARER  reader' }, ''],
    ['the query', {}, '?token=reader'],
    ['the query before headers', { 'X-Consul-Token': 'stranger' }, '?token=reader'],
    ['X-Consul-Token before Authorization', { 'X-Consul-Token': 'reader', Authorization: 'Bearer no' }, ''],
  ])('is taken from %s', async (_name, headers, query) => {
    const answer = await consul.call('GET', `/v1/agent/self${query}`, undefined, { ...headers });
    expect(answer.status).toBe(200);
  });

  test.each([
    ['none', {}, 'Permission denied'],
    ["Consul's name for none", { 'X-Consul-Token': 'anonymous' }, 'Permission denied'],
    ['another scheme', { Authorization: 'Basic reader' }, 'Permission denied'],
    ['an unknown one', { 'X-Consul-Token': 'stranger' }, 'ACL not found'],
    ['one that only begins like one', { 'X-Consul-Token': 'reade' }, 'ACL not found'],
    ['one in another case', { 'X-Consul-Token': 'Reader' }, 'ACL not found'],
  ])('%s is refused in the words of Consul', async (_name, headers, text) => {
    const answer = await consul.call('GET', '/v1/agent/self', undefined, { ...headers });
    expect(answer).toMatchObject({ status: 403, text });
    expect(answer.headers.get('x-consul-default-acl-policy')).toBe('deny');
  });

  test.each(['status/leader', 'status/peers', 'catalog/datacenters'])(
    'is not asked for by %s',
    async (path) => {
      expect((await as('nobody', 'GET', `/v1/${path}`)).status).toBe(200);
      expect((await as('stranger', 'GET', `/v1/${path}`)).status).toBe(200);
    },
  );

  test('is told neither in the log nor in a complaint', async () => {
    const { log, lines } = recordedLog();
    await using broken = await disposable({ access: accessWith(TOKENS), log });
    const answer = await broken.call('DELETE', '/v1/kv/a?recurse&cas=1&token=operator');
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('Conflicting flags') });
    expect(answer.text).not.toContain('operator');
    await broken.registry.stop(0);
    expect((await broken.call('PUT', '/v1/kv/a?token=operator', 'x')).status).toBe(500);
    expect(JSON.stringify(lines)).toContain('consul api request failed');
    expect(JSON.stringify(lines)).not.toContain('operator');
  });
});

async function disposable(options: Parameters<typeof startConsulApi>[0]) {
  const started = await startConsulApi(options);
  return { ...started, [Symbol.asyncDispose]: () => started.close() };
}

describe('lists leave out what may not be seen', () => {
  test.each<[Who, readonly string[]]>([
    ['operator', ['consul', 'db', 'web']],
    ['reader', ['consul', 'db', 'web']],
    ['web', ['web']],
    ['db', ['db']],
    ['nobody', []],
  ])('for %s: %j', async (who, seen) => {
    const ids = seen.filter((name) => name !== 'consul').map((name) => `${name}-1`);
    const shown = seen.length > 0;
    expect(Object.keys(Object(await json(who, '/v1/catalog/services')))).toEqual(seen);
    expect(Object.keys(Object(await json(who, '/v1/agent/services')))).toEqual(ids);
    expect(Object.keys(Object(await json(who, '/v1/agent/checks')))).toEqual(
      ids.map((id) => id.replace('-1', '-ttl')),
    );
    expect(await json(who, '/v1/catalog/nodes')).toHaveLength(shown ? 1 : 0);
    expect(await json(who, '/v1/agent/members')).toHaveLength(shown ? 1 : 0);
    expect(await json(who, '/v1/coordinate/nodes')).toHaveLength(shown ? 1 : 0);
    for (const name of ['web', 'db']) {
      const count = seen.includes(name) ? 1 : 0;
      for (const path of ['catalog/service', 'health/service', 'health/checks']) {
        expect(await json(who, `/v1/${path}/${name}`), `${path}/${name}`).toHaveLength(count);
      }
    }
    expect(await json(who, '/v1/health/state/any')).toHaveLength(shown ? ids.length + 1 : 0);
    const node = await json(who, '/v1/catalog/node/lb-1');
    if (shown) expect(Object.keys(Object(Object(node).Services))).toEqual(expect.arrayContaining(ids));
    if (shown) expect(Object.keys(Object(Object(node).Services))).toHaveLength(seen.length);
    else expect(node).toBeNull();
  });

  test.each<[Who, readonly string[] | undefined]>([
    ['operator', ['db', 'db/one', 'web/one']],
    ['web', ['web/one']],
    ['db', ['db']],
    ['nobody', undefined],
  ])('keys, for %s: %j', async (who, keys) => {
    const answer = await as(who, 'GET', '/v1/kv/?keys');
    expect(answer.json ?? []).toEqual(keys ?? []);
    const tree = await as(who, 'GET', '/v1/kv/?recurse');
    expect(tree.status).toBe(keys ? 200 : 404);
    for (const key of ['db', 'db/one', 'web/one']) {
      expect((await as(who, 'GET', `/v1/kv/${key}`)).status, key).toBe(keys?.includes(key) ? 200 : 403);
    }
  });

  test('what waits for a change hears of it once its token counts no more', async () => {
    await using one = await disposable({ access: accessWith(TOKENS) });
    const first = await one.call('GET', '/v1/kv/a?token=reader');
    const index = first.headers.get('x-consul-index');
    const waiting = one.call('GET', `/v1/kv/a?index=${index}&wait=20s&token=reader`);
    await expect.poll(() => one.api.waiting).toBe(1);
    one.api.setAccess(accessWith({ operator: TOKENS.operator }));
    expect((await one.call('PUT', '/v1/kv/a?token=operator', 'x')).status).toBe(200);
    expect(await waiting).toMatchObject({ status: 403, text: 'ACL not found' });
  });
});

test('what anybody may do is added to what a token is for', async () => {
  await using one = await disposable({ access: accessWith({ web: TOKENS.web }, 'read') });
  expect((await one.call('PUT', '/v1/kv/db?token=web', 'x')).status).toBe(403);
  expect((await one.call('GET', '/v1/kv/db?token=web')).status).toBe(404);
  expect((await one.call('GET', '/v1/kv/db')).status).toBe(404);
  expect((await one.call('PUT', '/v1/kv/db', 'x')).status).toBe(403);
});

test('without tokens, where everybody may do everything, a token is passed over as in Consul', async () => {
  await using open = await disposable({});
  const answer = await open.call('PUT', '/v1/kv/a?token=whatever', 'x');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('x-consul-default-acl-policy')).toBe('allow');
});

describe('whoever may see nothing', () => {
  beforeAll(async () => {
    expect((await put('operator', '/v1/session/create', {})).status).toBe(200);
    expect((await put('operator', '/v1/event/fire/deploy', 'x')).status).toBe(200);
    const query = { Name: 'q', Service: { Service: 'db' } };
    expect((await as('operator', 'POST', '/v1/query', query)).status).toBe(200);
  });

  test.each([
    ['agent/metrics', 403, DENIED],
    ['agent/health/service/id/not-there', 403, DENIED],
    ['operator/raft/configuration', 403, DENIED],
    ['session/list', 200, '[]'],
    ['session/node/lb-1', 200, '[]'],
    ['event/list', 200, '[]'],
    ['query', 200, '[]'],
  ])('%s: %i', async (path, status, text) => {
    expect((await as('operator', 'GET', `/v1/${path}`)).text).not.toBe(text);
    expect(await as('nobody', 'GET', `/v1/${path}`)).toMatchObject({ status, text });
  });

  test('does not wait for it either', async () => {
    expect((await as('nobody', 'GET', '/v1/kv/db?index=1000000&wait=60s')).status).toBe(403);
  }, 10_000);
});

// What consul_sd_configs asks for, in this order (prometheus/discovery/consul/consul.go).
test('a token that only reads is enough for Prometheus to find what to scrape', async () => {
  expect(await json('reader', '/v1/agent/self')).toMatchObject({ Config: { Datacenter: 'dc1' } });
  const listed = await as('reader', 'GET', '/v1/catalog/services?stale=&wait=120000ms');
  expect(listed.json).toMatchObject({ web: [], db: [] });
  const index = listed.headers.get('x-consul-index');
  const waiting = as('reader', 'GET', `/v1/catalog/services?stale=&index=${index}&wait=20s`);
  await expect.poll(() => consul.api.waiting).toBe(1);
  await put('operator', '/v1/agent/service/register', { Name: 'scraped', Port: 9100, Tags: ['metrics'] });
  expect((await waiting).json).toHaveProperty('scraped', ['metrics']);
  const found = await json('reader', '/v1/health/service/scraped?stale=&tag=metrics&wait=120000ms');
  expect(found).toMatchObject([{ Node: { Address: '127.0.0.1' }, Service: { Port: 9100 } }]);
});

describe('a web page', () => {
  const HEADERS = { 'X-Consul-Token': 'operator', 'Sec-Fetch-Mode': 'cors' };

  test.each([
    ['that was loaded from elsewhere', { Origin: 'http://evil.example', 'Sec-Fetch-Site': 'cross-site' }],
    ['on another port of this machine', { Origin: 'http://127.0.0.1:1', 'Sec-Fetch-Site': 'same-site' }],
    ['whose name leads here by now', { Host: 'evil.example', 'Sec-Fetch-Site': 'same-origin' }],
  ])('%s is refused, whatever token it has', async (_name, headers) => {
    const before = consul.registry.catalog.index;
    expect(await browse('GET', '/v1/kv/db', { ...HEADERS, ...headers })).toBe(403);
    expect(await browse('PUT', '/v1/kv/db', { ...HEADERS, ...headers })).toBe(403);
    expect(consul.registry.catalog.index).toBe(before);
  });

  test('of its own may use it', async () => {
    const own = { ...HEADERS, Origin: consul.base, 'Sec-Fetch-Site': 'same-origin' };
    expect(await browse('PUT', '/v1/kv/db', own)).toBe(200);
    expect(await browse('GET', '/v1/kv/db', { ...HEADERS, 'Sec-Fetch-Site': 'same-origin' })).toBe(200);
  });
});

/** Headers that only browsers may set, which fetch leaves to them. Resolves to the status. */
function browse(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(consul.base + path, { method, headers }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
    });
    asked.once('error', reject).end();
  });
}
