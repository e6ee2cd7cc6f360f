import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

let consul: ConsulApiUnderTest;
beforeAll(async () => {
  consul = await startConsulApi();
});
afterAll(() => consul.close());

function register(node: string, definition: object, type = '') {
  const check = { CheckID: 'c', Name: 'c', Status: 'passing', Type: type, Definition: definition };
  return consul.call('PUT', '/v1/catalog/register', { Node: node, Address: '10.0.0.1', Check: check });
}

const TIMES = { Interval: '90s', Timeout: '500ms' };

test.each([
  [{ TCP: '10.0.0.1:80', ...TIMES }, { TCP: '10.0.0.1:80', Interval: '1m30s', Timeout: '500ms' }, 'tcp'],
  [{ HTTP: 'http://10.0.0.1/', Header: {} }, { HTTP: 'http://10.0.0.1/' }, 'http'],
  [{ HTTP: '', ...TIMES }, {}, ''],
  [{ ScriptArgs: ['/bin/true'], ...TIMES }, {}, ''],
])('of a check in the catalog it is kept how others run it: %j', async (given, shown, type) => {
  expect((await register('ext-1', given)).status).toBe(200);
  const { json } = await consul.call('GET', '/v1/health/node/ext-1');
  expect(json).toMatchObject([{ Type: type }]);
  expect(json).toHaveProperty([0, 'Definition'], shown);
});

test('a type that is given stays', async () => {
  await register('ext-1', { TCP: '10.0.0.1:80' }, 'mine');
  expect((await consul.call('GET', '/v1/health/node/ext-1')).json).toMatchObject([{ Type: 'mine' }]);
});

test('it is never run here, not even on the own node', async () => {
  await register('lb-1', { HTTP: 'http://127.0.0.1:1/', ...TIMES });
  const check = consul.registry.catalog.check('lb-1', 'c');
  expect(check).toMatchObject({ status: 'passing', definition: undefined });
  expect(check?.toldDefinition).toBeDefined();
});
