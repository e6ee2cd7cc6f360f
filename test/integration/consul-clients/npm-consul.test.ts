import Consul from 'consul';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { accessWith } from '../../helpers/tokens.ts';

// The client that most programs in JavaScript use: https://www.npmjs.com/package/consul

let api: ConsulApiUnderTest;
let consul: Consul;
const clientWith = (token: string) => {
  const { hostname, port } = new URL(api.base);
  return new Consul({ host: hostname, port: Number(port), defaults: { token } });
};

beforeAll(async () => {
  api = await startConsulApi({
    access: accessWith({ web: { policy: 'register', services: ['web'], keys: ['web/*'] } }),
  });
  consul = clientWith('web');
});
afterAll(() => api.close());

test('registers an instance, keeps it alive, finds it and takes it away', async () => {
  await consul.agent.service.register({
    ...{ name: 'web', id: 'web-1', address: '127.0.0.1', port: 8000, tags: ['blue'], meta: { v: '1' } },
    check: { name: 'alive', ttl: '1h', timeout: '1s' },
  });
  expect(await consul.health.service({ service: 'web', passing: true })).toEqual([]);
  await consul.agent.check.pass({ id: 'service:web-1', note: 'well' });
  expect(await consul.health.service({ service: 'web', passing: true })).toMatchObject([
    {
      Node: { Node: 'lb-1' },
      Service: { ID: 'web-1', Port: 8000, Tags: ['blue'], Meta: { v: '1' } },
      Checks: [{ Status: 'passing' }, { Status: 'passing', Output: 'well' }],
    },
  ]);
  expect(await consul.catalog.service.list()).toEqual({ web: ['blue'] });
  expect(await consul.agent.service.list()).toHaveProperty('web-1');
  await consul.agent.service.deregister('web-1');
  expect(await consul.catalog.service.nodes('web')).toEqual([]);
});

test('watches a service', async () => {
  const watch = consul.watch({ method: consul.health.service, options: { service: 'web', wait: '20s' } });
  try {
    const ids: string[][] = [];
    watch.on('change', (entries: { Service: { ID: string } }[]) => {
      ids.push(entries.map(({ Service }) => Service.ID));
    });
    await expect.poll(() => ids).toEqual([[]]);
    await consul.agent.service.register({ name: 'web', id: 'web-2' });
    await expect.poll(() => ids).toEqual([[], ['web-2']]);
    await consul.agent.service.deregister('web-2');
    await expect.poll(() => ids).toEqual([[], ['web-2'], []]);
  } finally {
    watch.end();
  }
});

test('keeps keys, and a lock on one of them', async () => {
  expect(await consul.kv.set('web/a', 'one')).toBe(true);
  expect(await consul.kv.get('web/a')).toMatchObject({ Key: 'web/a', Value: 'one', Flags: 0 });
  // It tells what is not done as nothing.
  expect(await consul.kv.set({ key: 'web/a', value: 'two', cas: 1 })).not.toBe(true);
  const [mine, other] = [await consul.session.create({ ttl: '30s' }), await consul.session.create({})];
  expect(await consul.kv.set({ key: 'web/leader', value: 'me', acquire: mine.ID })).toBe(true);
  expect(await consul.kv.set({ key: 'web/leader', value: 'it', acquire: other.ID })).not.toBe(true);
  expect(await consul.session.renew(mine.ID)).toMatchObject([{ ID: mine.ID, TTL: '30s' }]);
  expect(await consul.kv.set({ key: 'web/leader', value: '', release: mine.ID })).toBe(true);
  expect(await consul.kv.keys('web/')).toEqual(['web/a', 'web/leader']);
  await consul.kv.del({ key: 'web/', recurse: true });
  expect(await consul.kv.get('web/a')).toBeUndefined();
});

describe('is refused', () => {
  test.each([
    ['what its token is not for', 'web', 'Permission denied'],
    ['everything with a wrong token', 'wrong', 'ACL not found'],
  ])('%s', async (_name, token, message) => {
    const refused = clientWith(token).kv.set('db/a', 'x');
    await expect(refused).rejects.toMatchObject({
      statusCode: 403,
      message: expect.stringContaining(message),
    });
  });
});
