import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

let consul: ConsulApiUnderTest;
beforeAll(async () => {
  consul = await startConsulApi();
  for (const id of ['web-1', 'web-2', 'web-3'])
    await consul.call('PUT', '/v1/agent/service/register', { ID: id, Name: 'web', Tags: [id] });
});
afterAll(() => consul.close());
beforeEach(async () => {
  for (const { id } of consul.registry.catalog.queries.all().value)
    await consul.call('DELETE', `/v1/query/${id}`);
});

async function create(body: object): Promise<string> {
  const { json, text } = await consul.call('POST', '/v1/query', body);
  if (typeof json === 'object' && json !== null && 'ID' in json) return String(json.ID);
  throw new Error(text);
}

const web = { Service: { Service: 'web' } };

test('a query is created, read, changed, executed and deleted', async () => {
  const id = await create({ Name: 'Near', ...web, DNS: { TTL: '10s' } });
  const read = await consul.call('GET', `/v1/query/${id.toUpperCase()}`);
  expect(read.json).toMatchObject([
    {
      ID: id,
      Name: 'Near',
      Session: '',
      Token: '',
      Service: {
        Service: 'web',
        Failover: { NearestN: 0, Datacenters: null },
        OnlyPassing: false,
        Tags: null,
        NodeMeta: null,
      },
      DNS: { TTL: '10s' },
    },
  ]);
  expect((await consul.call('GET', '/v1/query')).json).toEqual(read.json);
  const changed = await consul.call('PUT', `/v1/query/${id}`, {
    Name: 'near',
    Service: { Service: 'web', Tags: ['web-2'] },
  });
  expect([changed.status, changed.text]).toEqual([200, '']);
  for (const name of ['NEAR', id]) {
    const { json, headers } = await consul.call('GET', `/v1/query/${name}/execute`);
    expect(json).toMatchObject({
      Service: 'web',
      Nodes: [{ Node: { Node: 'lb-1' }, Service: { ID: 'web-2' }, Checks: [{ CheckID: 'serfHealth' }] }],
      DNS: { TTL: '' },
      Datacenter: 'dc1',
      Failovers: 0,
    });
    expect(headers.get('x-consul-index')).toBeNull();
  }
  expect((await consul.call('GET', '/v1/query/near/explain')).json).toMatchObject({ Query: { ID: id } });
  expect((await consul.call('DELETE', `/v1/query/${id}`)).status).toBe(200);
  expect((await consul.call('GET', `/v1/query/${id}`)).status).toBe(404);
  expect((await consul.call('GET', '/v1/query')).json).toEqual([]);
});

test('an answer is shuffled, and has as many as are wanted', async () => {
  await create({ Name: 'q', ...web });
  const firsts = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const { text } = await consul.call('GET', '/v1/query/q/execute?limit=1');
    const ids = [...text.matchAll(/"ID":"(web-\d)"/g)].map(([, id = '']) => id);
    expect(ids).toHaveLength(1);
    for (const id of ids) firsts.add(id);
  }
  expect([...firsts].sort()).toEqual(['web-1', 'web-2', 'web-3']);
  expect((await consul.call('GET', '/v1/query/q/execute?limit=x')).status).toBe(400);
});

test.each([
  [{}, 'Must be bound to a session'],
  [{ Name: 'q', Service: {} }, 'Must provide a Service name to query'],
  [{ Name: 'q', ...web, DNS: { TTL: '10' } }, "Bad DNS TTL '10': time: missing unit"],
  [{ Name: 'q', ...web, DNS: { TTL: '-1s' } }, 'must be >=0'],
  [{ Name: 'q', ...web, Template: { Type: 'name_prefix_match' } }, 'Templates are not supported'],
  [{ Name: 'q', Service: { Service: 'web', Connect: true } }, 'Connect is not supported'],
  [{ Name: 'q', Service: { Service: 'web', Failover: { NearestN: -1 } } }, "Bad NearestN '-1'"],
])('%j is refused', async (body, words) => {
  const answer = await consul.call('POST', '/v1/query', body);
  expect(answer.status).toBe(500);
  expect(answer.text).toContain(words);
});

test('a name is taken once, in any case, and never that of an id', async () => {
  const id = await create({ Name: 'q', ...web });
  const second = await consul.call('POST', '/v1/query', { Name: 'Q', ...web });
  expect([second.status, second.text]).toEqual([500, "name 'Q' aliases an existing query name"]);
  const alias = await consul.call('POST', '/v1/query', { Name: id, ...web });
  expect([alias.status, alias.text]).toEqual([500, `name '${id}' aliases an existing query ID`]);
  const given = await consul.call('POST', '/v1/query', { ID: id, Name: 'r', ...web });
  expect(given.status).toBe(500);
  expect((await consul.call('PUT', `/v1/query/${id}`, { Name: 'Q', ...web })).status).toBe(200);
  expect((await consul.call('POST', '/v1/query', { Name: 'q', ...web })).status).toBe(500);
});

test('a query that is bound to a session goes with it', async () => {
  const { json } = await consul.call('PUT', '/v1/session/create', {});
  const session = typeof json === 'object' && json !== null && 'ID' in json ? String(json.ID) : '';
  const id = await create({ Session: session, ...web });
  expect((await consul.call('GET', `/v1/query/${id}/execute`)).status).toBe(200);
  await consul.call('PUT', `/v1/session/destroy/${session}`);
  expect((await consul.call('GET', `/v1/query/${id}/execute`)).status).toBe(404);
  const late = await consul.call('POST', '/v1/query', { Session: session, ...web });
  expect([late.status, late.text]).toEqual([500, `invalid session "${session}"`]);
});

test('changing or deleting one that is not there is an error', async () => {
  const id = '00000000-0000-0000-0000-000000000000';
  const words = `Cannot modify non-existent prepared query: '${id}'`;
  for (const [method, body] of [['PUT', { Name: 'q', ...web }], ['DELETE']] as const) {
    const answer = await consul.call(method, `/v1/query/${id}`, body);
    expect([answer.status, answer.text]).toEqual([500, words]);
  }
});

test('a watcher of the queries is woken by a new one', async () => {
  const index = (await consul.call('GET', '/v1/query')).headers.get('x-consul-index');
  const waiting = consul.call('GET', `/v1/query?index=${index}&wait=1m`);
  const id = await create({ Name: 'q', ...web });
  expect((await waiting).json).toMatchObject([{ ID: id }]);
});
