import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { eventually } from '../../helpers/eventually.ts';

let consul: ConsulApiUnderTest;
beforeAll(async () => {
  consul = await startConsulApi();
  await consul.call('PUT', '/v1/agent/service/register', { Name: 'web', Tags: ['v1', 'blue'] });
});
afterAll(() => consul.close());

/** Payloads of the events of a name, oldest first. */
async function payloads(name: string): Promise<unknown[]> {
  const { json } = await consul.call('GET', `/v1/event/list?name=${name}`);
  if (!Array.isArray(json)) throw new Error(`a list was expected, not ${JSON.stringify(json)}`);
  return json.map((event: { Payload: string | null }) => event.Payload);
}

test.each([
  ['node=lb-1', true],
  ['node=^lb-[23]$', false],
  ['service=we', true],
  ['service=^api$', false],
  ['service=web&tag=v[0-9]', true],
  ['service=web&tag=v2', false],
  ['node=^x&service=web', false],
] as [string, boolean][])('an event for %s is heard here: %s', async (filter, heard) => {
  const name = `for-${encodeURIComponent(filter)}`;
  const path = `/v1/event/fire/${name}?${filter.replaceAll('^', '%5E')}`;
  expect((await consul.call('PUT', path, 'x')).status).toBe(200);
  expect(await payloads(name)).toEqual(heard ? ['eA=='] : []);
});

test.each([
  ['/v1/event/fire/', '', 400, 'Missing name'],
  ['/v1/event/fire/e?tag=v1', '', 500, 'Cannot provide tag filter without service filter'],
  ['/v1/event/fire/e?node=(', '', 500, 'Invalid node filter: '],
  ['/v1/event/fire/e?dc=other', '', 500, 'No path to datacenter'],
  ['/v1/event/fire/e', 'x'.repeat(512), 500, 'user event exceeds configured limit of 512 bytes'],
] as [string, string, number, string][])('PUT %s is refused', async (path, body, status, words) => {
  const answer = await consul.call('PUT', path, body);
  expect(answer.status).toBe(status);
  expect(answer.text).toContain(words);
  expect(await payloads('e')).toEqual([]);
});

test('an event without a payload has none, and nothing happened is index 1', async () => {
  const { call, close } = await startConsulApi();
  try {
    const before = await call('GET', '/v1/event/list');
    expect([before.json, before.headers.get('x-consul-index')]).toEqual([[], '1']);
    const fired = await call('PUT', '/v1/event/fire/empty');
    expect(fired.json).toMatchObject({ Name: 'empty', Payload: null, LTime: 0 });
    const after = await call('GET', '/v1/event/list');
    expect(after.json).toMatchObject([{ Name: 'empty', Payload: null, LTime: 1 }]);
    expect(after.headers.get('x-consul-index')).not.toBe('1');
  } finally {
    await close();
  }
});

test('a watcher is woken by an event of any name, and by none that it knows already', async () => {
  const first = await consul.call('GET', '/v1/event/list?name=watched');
  const index = first.headers.get('x-consul-index');
  const waiting = consul.call('GET', `/v1/event/list?name=watched&index=${index}&wait=1m`);
  await eventually(() => expect(consul.api.waiting).toBe(1));
  await consul.call('PUT', '/v1/event/fire/another');
  expect((await waiting).headers.get('x-consul-index')).not.toBe(index);
  const late = consul.call('GET', `/v1/event/list?index=${index}&wait=1m`);
  expect((await late).status).toBe(200);
  expect(consul.api.waiting).toBe(0);
});

test('a watcher to whom nothing happens gets the same answer once its time is over', async () => {
  const index = (await consul.call('GET', '/v1/event/list')).headers.get('x-consul-index');
  const answer = await consul.call('GET', `/v1/event/list?index=${index}&wait=10ms`);
  expect(answer.headers.get('x-consul-index')).toBe(index);
  expect(consul.api.waiting).toBe(0);
});

test('only the last 256 events are remembered', async () => {
  for (let i = 0; i < 257; i++) await consul.call('PUT', '/v1/event/fire/many', `${i}`);
  const all = await payloads('many');
  expect(all).toHaveLength(256);
  expect(all[0]).toBe(Buffer.from('1').toString('base64'));
  expect(await payloads('another')).toEqual([]);
});
