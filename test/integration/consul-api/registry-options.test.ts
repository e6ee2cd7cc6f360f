import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { type DatacenterUnderTest, startDatacenter } from '../../helpers/datacenter.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(registry: string): Promise<DatacenterUnderTest> {
  const one = await startDatacenter('dc1', registry);
  cleanups.push(() => one.stop());
  return one;
}

describe('lenient-fields', () => {
  const bodies = [
    [
      '/v1/agent/service/register',
      { Name: 'a', Partition: 'default', Check: { TTL: '1m', OSService: 'x', DisableRedirects: true } },
    ],
    ['/v1/agent/check/register', { Name: 'c', TTL: '1m', TLSServerName: 'x' }],
    [
      '/v1/catalog/register',
      { Node: 'n', Address: '10.0.0.1', Service: { Service: 's', SocketPath: '' }, Locality: {} },
    ],
    ['/v1/catalog/deregister', { Node: 'n', Partition: 'default' }],
    ['/v1/query', { Name: 'q', Service: { Service: 'a', SamenessGroup: '' }, Peer: '' }],
    ['/v1/txn', [{ KV: { Verb: 'set', Key: 'k', Value: '', Partition: '' } }]],
  ] as const;

  test.each(bodies)(
    'off, a new field in %s is refused as Consul refuses it; on, it is passed over',
    async (path, body) => {
      const method = path === '/v1/query' ? 'POST' : 'PUT';
      const strict = await (await start('')).call(method, path, body);
      expect(strict.status).toBe(400);
      expect(strict.text).toContain('json: unknown field');
      expect((await (await start('lenient-fields: true')).call(method, path, body)).status).toBe(200);
    },
  );

  test('what is known must still be of its kind', async () => {
    const lenient = await start('lenient-fields: true');
    const answer = await lenient.call('PUT', '/v1/agent/service/register', { Name: 'a', Port: 'x', New: 1 });
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.text).toContain('cannot unmarshal string');
  });
});

describe('warning', () => {
  const WEB = {
    Name: 'web',
    Address: '10.1.0.1',
    Port: 80,
    Check: { CheckID: 'c', TTL: '10m', Status: 'passing' },
  };

  async function warned(registry: string) {
    const one = await start(registry);
    await one.call('PUT', '/v1/agent/service/register', WEB);
    await one.call('POST', '/v1/query', { Name: 'q', Service: { Service: 'web' } });
    await one.call('PUT', '/v1/agent/check/warn/c?note=slow');
    const rcodes = [];
    for (const name of ['web.service.consul', 'q.query.consul']) rcodes.push((await one.dns(name)).rcode);
    const executed = await one.call('GET', '/v1/query/q/execute');
    const passing = await one.call('GET', '/v1/health/service/web?passing');
    const all = await one.call('GET', '/v1/health/service/web');
    return {
      rcodes,
      chosen: Reflect.get(Object(executed.json), 'Nodes').length,
      passing: Object(passing.json).length,
      statuses: [...all.text.matchAll(/"Status":"warning"/g)].length,
      lines: one.lines
        .filter(({ message }) => message.startsWith('check warning'))
        .map(({ message }) => message),
    };
  }

  test('as a rule lets an instance have traffic, and the log says so', async () => {
    expect(await warned('')).toEqual({
      rcodes: ['NOERROR', 'NOERROR'],
      chosen: 1,
      passing: 0,
      statuses: 1,
      lines: ['check warning: instance still gets traffic'],
    });
  });

  test('critical: takes it out of DNS and prepared queries, and is still told as a warning', async () => {
    expect(await warned('warning: critical')).toEqual({
      rcodes: ['NXDOMAIN', 'NXDOMAIN'],
      chosen: 0,
      passing: 0,
      statuses: 1,
      lines: ['check warning: instance gets no traffic'],
    });
  });
});

describe('who has done it', () => {
  const named = 'a-token-with-a-name-of-its-own';
  const plain = 'a-token-without-any-name-at-all';

  test('the log names the address and the token, by its name or the beginning of its hash', async () => {
    const tokens = `{ token: ${named}, name: web-ci, policy: register }, { token: ${plain}, policy: admin }`;
    const one = await start(`anonymous: admin, tokens: [${tokens}]`);
    await one.call('PUT', '/v1/agent/service/register', { Name: 'a' }, { 'X-Consul-Token': named });
    await one.call('PUT', '/v1/agent/service/deregister/a', undefined, { 'X-Consul-Token': plain });
    await one.call('PUT', '/v1/agent/service/register', { Name: 'b' });
    const hash = createHash('sha256').update(plain).digest('hex').slice(0, 8);
    const said = one.lines
      .filter(({ message, fields }) => /^service /.test(message) && fields.service !== 'consul')
      .map(
        ({ message, fields }) => `${message} ${String(fields.by).replace(/:\d+/, ':PORT')} ${fields.what}`,
      );
    expect(said).toEqual([
      'service registered api 127.0.0.1:PORT token web-ci agent/service/register',
      `service deregistered api 127.0.0.1:PORT token ${hash} agent/service/deregister`,
      'service registered api 127.0.0.1:PORT agent/service/register',
    ]);
    expect(JSON.stringify(one.lines)).not.toContain(plain);
  });
});

describe('?cached', () => {
  test('is a miss at first and then a hit, where Consul has a cache', async () => {
    const one = await start('');
    const cache = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await one.call('GET', path, undefined, headers);
      return [answer.headers.get('x-cache'), answer.headers.get('age')];
    };
    for (const path of [
      '/v1/health/service/a?cached',
      '/v1/catalog/service/a?cached',
      '/v1/catalog/services?cached',
    ]) {
      expect(await cache(path)).toEqual(['MISS', null]);
      expect(await cache(path)).toEqual(['HIT', '0']);
      expect(await cache(`${path}&index=1&wait=1ms&stale`)).toEqual(['HIT', '0']);
      expect(await cache(path, { 'Cache-Control': 'max-age=30, stale-if-error=60' })).toEqual(['HIT', '0']);
      for (const control of ['must-revalidate', 'max-age=0']) {
        expect(await cache(path, { 'Cache-Control': control })).toEqual(['MISS', null]);
      }
      expect(await cache(`${path}&tag=x`)).toEqual(['MISS', null]);
    }
    for (const path of ['/v1/catalog/nodes?cached', '/v1/health/state/any?cached', '/v1/health/service/a']) {
      await cache(path);
      expect(await cache(path)).toEqual([null, null]);
    }
  });

  test('near takes any node, and changes nothing where there is one', async () => {
    const one = await start('');
    await one.call('PUT', '/v1/agent/service/register', { Name: 'a' });
    const plain = await one.call('GET', '/v1/health/service/a');
    for (const near of ['_agent', 'lb-dc1', 'nobody']) {
      expect((await one.call('GET', `/v1/health/service/a?near=${near}`)).json).toEqual(plain.json);
    }
  });
});
