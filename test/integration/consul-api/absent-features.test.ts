import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { recordedLog } from '../../helpers/registry.ts';

const { log, lines } = recordedLog();
let consul: ConsulApiUnderTest;
beforeAll(async () => {
  consul = await startConsulApi({ log });
});
afterAll(() => consul.close());

test.each([
  ['GET', '/v1/operator/raft/configuration', 501, 'Vane does not support /v1/operator/'],
  ['PUT', '/v1/agent/join/127.0.0.1', 501, 'Vane does not support /v1/agent/join/'],
  ['GET', '/v1/agent/monitor', 501, 'Vane does not support /v1/agent/monitor'],
  ['GET', '/v1/internal/ui/services', 501, 'Vane does not support /v1/internal/'],
  ['PUT', '/v1/config', 501, 'Vane does not support /v1/config'],
  ['GET', '/v1/acl/tokens', 401, 'ACL support disabled'],
  ['GET', '/v1/connect/intentions', 500, 'Connect must be enabled in order to use this endpoint'],
  ['GET', '/v1/agent/metrics?format=prometheus', 415, 'Prometheus is not enabled'],
  ['GET', '/v1/no/such/path', 404, ''],
] as [string, string, number, string][])('%s %s is answered %i', async (method, path, status, words) => {
  const answer = await consul.call(method, path);
  expect(answer.status).toBe(status);
  expect(answer.text.startsWith(words), answer.text).toBe(true);
});

test('what is not supported is logged the first time', async () => {
  const told = () => lines.filter(({ message }) => message === 'consul endpoint is not supported');
  const path = '/v1/discovery-chain/';
  for (const service of ['web', 'api']) await consul.call('GET', path + service);
  expect(told().filter(({ fields }) => 'path' in fields && fields.path === path)).toHaveLength(1);
});

test('a watcher of settings that do not exist waits its time', async () => {
  const first = await consul.call('GET', '/v1/config/service-defaults');
  const index = first.headers.get('x-consul-index');
  const missing = await consul.call('GET', `/v1/config/service-defaults/web?index=${index}&wait=10ms`);
  expect([missing.status, missing.headers.get('x-consul-index')]).toEqual([404, index]);
});
