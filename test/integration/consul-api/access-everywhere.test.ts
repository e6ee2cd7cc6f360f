import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentCache } from '../../../src/api/consul/agent-cache.ts';
import { ParkedQueries } from '../../../src/api/consul/parked-queries.ts';
import type { Route } from '../../../src/api/consul/route.ts';
import { consulRoutes } from '../../../src/api/consul/routes.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { accessWith } from '../../helpers/tokens.ts';

// A route that somebody adds and forgets to guard is found here: everything in the registry has a mark on it, and
// nobody without a right to it is told the mark, or changes anything, whatever is asked for.

/** In these ways keys are read. */
const KV_READS = ['', '?recurse', '?keys', '?raw'];

const MARK = 'only-for-the-operator';
const BASE64 = Buffer.from(MARK).toString('base64');
const ACCESS = accessWith({
  operator: { policy: 'admin' },
  other: { policy: 'register', services: ['other'], keys: ['other'] },
});

let consul: ConsulApiUnderTest;
let rests: readonly string[];

beforeAll(async () => {
  consul = await startConsulApi({ access: ACCESS });
  const write = async (method: string, path: string, body: unknown) => {
    const answer = await consul.call(method, path, body, { 'X-Consul-Token': 'operator' });
    expect(answer.status, `${path}: ${answer.text}`).toBe(200);
    return String(Object(answer.json).ID);
  };
  const session = await write('PUT', '/v1/session/create', {});
  const Service = { Service: 'web', ID: 'w', Tags: [MARK], Meta: { mark: MARK } };
  await write('PUT', '/v1/agent/service/register', {
    ...{ Name: 'web', ID: 'web-1', Tags: [MARK], Meta: { mark: MARK } },
    Check: { CheckID: 'c', TTL: '1h', Notes: MARK },
  });
  const node = { Node: 'n', Address: '127.0.0.9', Service };
  await write('PUT', '/v1/catalog/register', node);
  await write('PUT', `/v1/kv/web?acquire=${session}`, MARK);
  const query = await write('POST', '/v1/query', { Name: MARK, Service: { Service: 'web' } });
  await write('PUT', '/v1/event/fire/deploy', 'x');
  rests = ['', 'web', 'web-1', 'c', 'any', 'n', 'lb-1', 'id/web-1', session, query].concat([
    ...[`${query}/execute`, `${query}/explain`, `${MARK}/execute`],
  ]);
});
afterAll(() => consul.close());

function requestsOf({ path, methods }: Route) {
  const queriesOf = (method: string) => {
    if (method !== 'GET') return ['?recurse&enable=true'];
    return path === '/v1/kv/' ? KV_READS : [''];
  };
  return (path.endsWith('/') ? rests : ['']).flatMap((rest) =>
    Object.keys(methods).flatMap((method) =>
      queriesOf(method).map((query) => ({ method, path, rest, target: path + rest + query })),
    ),
  );
}

describe.each(['nobody', 'other'])('%s', (who) => {
  const headers: Readonly<Record<string, string>> = who === 'nobody' ? {} : { 'X-Consul-Token': who };
  const isMarked = (text: string) => text.includes(MARK) || text.includes(BASE64);

  test('learns nothing of what is not for it, and changes nothing', async () => {
    const { registry } = consul;
    const routes = consulRoutes({
      registry,
      checks: { ttlUpdate: async () => false, restart: () => {} },
      scriptChecks: 'off',
      access: { enabled: true },
      agentCache: new AgentCache(),
      parked: new ParkedQueries({ catalog: registry.catalog, clock: systemClock, limit: 1 }),
      clock: systemClock,
      log: silentLog,
      version: '1.9.8',
    });
    const { index } = registry.catalog;
    const leaks: string[] = [];
    const allowed: string[] = [];
    const requests = routes.flatMap((route) => requestsOf(route));
    for (const { method, path, rest, target } of requests) {
      // A session with nothing in it is harmless, and somebody may have one.
      if (who === 'other' && (path === '/v1/session/create' || path === '/v1/session/renew/')) continue;
      const body = method === 'GET' ? undefined : { Node: 'n', Status: 'critical' };
      const answer = await consul.call(method, target, body, headers);
      if (isMarked(answer.text) && !rest.includes(MARK)) leaks.push(`${method} ${target}`);
      const changed = registry.catalog.index !== index;
      if (changed || (who === 'nobody' && method !== 'GET' && answer.status === 200)) {
        allowed.push(`${method} ${target}: ${answer.status}`);
      }
      if (changed) break;
    }
    expect({ leaks, allowed }).toEqual({ leaks: [], allowed: [] });
    expect(requests.length).toBeGreaterThan(200);
  });

  test('while the operator is told of every mark', async () => {
    for (const path of ['agent/services', 'health/service/web', 'kv/web', 'query', 'catalog/node/n']) {
      const answer = await consul.call('GET', `/v1/${path}`, undefined, { 'X-Consul-Token': 'operator' });
      expect(isMarked(answer.text), path).toBe(true);
    }
  });
});
