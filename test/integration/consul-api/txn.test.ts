import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

let under: ConsulApiUnderTest;
beforeEach(async () => {
  under = await startConsulApi();
});
afterEach(() => under.close());

const call: ConsulApiUnderTest['call'] = (...args) => under.call(...args);
const txn = (...ops: unknown[]) => call('PUT', '/v1/txn', ops);
const kv = (Verb: string, Key: string, more: object = {}) => ({ KV: { Verb, Key, ...more } });

interface Results {
  readonly Results: { readonly KV: { readonly ModifyIndex: number; readonly CreateIndex: number } }[];
}

test('a transaction is answered as Consul answers it, byte for byte but for the indexes', async () => {
  const { text, headers } = await txn(
    kv('set', 'a', { Value: 'b25l', Flags: 7 }),
    kv('get', 'a'),
    kv('delete', 'none'),
  );
  expect(text.replaceAll(/(Create|Modify)Index":\d+/g, '$1Index":N')).toBe(
    '{"Results":[' +
      '{"KV":{"LockIndex":0,"Key":"a","Flags":7,"Value":null,"CreateIndex":N,"ModifyIndex":N}},' +
      '{"KV":{"LockIndex":0,"Key":"a","Flags":7,"Value":"b25l","CreateIndex":N,"ModifyIndex":N}}' +
      '],"Errors":null}',
  );
  expect(headers.get('x-consul-index')).toBeNull();
  expect(headers.get('x-consul-lastcontact')).toBeNull();
});

test('one that only reads says so in its headers', async () => {
  const { text, headers } = await txn(kv('get-tree', 'a'));
  expect(text).toBe(
    '{"Results":[],"Errors":null,' +
      '"Index":0,"LastContact":0,"KnownLeader":true,"ConsistencyLevel":"","NotModified":false}',
  );
  expect(headers.get('x-consul-knownleader')).toBe('true');
  expect(headers.get('x-consul-lastcontact')).toBe('0');
});

test('the indexes of its rows are those of its commit', async () => {
  await call('PUT', '/v1/kv/t/old', '1');
  const { json } = await txn(kv('set', 't/old', { Value: 'Mg==' }), kv('set', 't/new'), kv('get-tree', 't/'));
  const stored = (await call('GET', '/v1/kv/?recurse')).json as Results['Results'][number]['KV'][];
  const [, , fresh, old] = (json as Results).Results.map(({ KV }) => KV);
  expect([fresh, old]).toEqual(stored);
  expect(fresh?.ModifyIndex).toBe(old?.ModifyIndex);
  expect(old?.CreateIndex).toBeLessThan(old?.ModifyIndex ?? 0);
});

test('operations see what those before them did, and all is undone when one fails', async () => {
  const session = ((await call('PUT', '/v1/session/create')).json as { ID: string }).ID;
  const { status, json } = await txn(
    kv('cas', 'a', { Index: 0 }),
    kv('cas', 'a', { Index: 0 }),
    kv('lock', 'a', { Session: session }),
    kv('lock', 'b', { Session: session }),
    kv('check-session', 'b', { Session: session }),
    kv('check-not-exists', 'b'),
    kv('unlock', 'c', { Session: session }),
    kv('check-index', 'c', { Index: 3 }),
    kv('check-session', 'a', { Session: 'x' }),
    kv('explode', 'a'),
    kv('delete-cas', 'b', { Index: 1 }),
    kv('lock', 'b', { Session: 'x' }),
  );
  expect(status).toBe(409);
  expect(json).toEqual({
    Results: null,
    Errors: [
      { OpIndex: 1, What: 'failed to set key "a", index is stale' },
      { OpIndex: 5, What: 'key "b" exists' },
      { OpIndex: 6, What: `failed to unlock key "c", lock isn't held, or is held by another session` },
      { OpIndex: 7, What: `failed to check index, key "c" doesn't exist` },
      { OpIndex: 8, What: `failed session check for key "a", current session "${session}" != "x"` },
      { OpIndex: 9, What: 'unknown KV verb "explode"' },
      { OpIndex: 10, What: 'failed to delete key "b", index is stale' },
      { OpIndex: 11, What: 'failed session lookup: index error: UUID must be 36 characters' },
    ],
  });
  expect((await call('GET', '/v1/kv/?keys')).json).toEqual([]);
});

test('locks are held and given back, and not had before their delay is over', async () => {
  const [a, b] = await Promise.all(
    ['1s', '0s'].map(async (LockDelay) => {
      const { json } = await call('PUT', '/v1/session/create', { LockDelay });
      return (json as { ID: string }).ID;
    }),
  );
  await txn(kv('lock', 'k', { Session: a, Value: 'bWU=' }));
  const { json } = await txn(kv('lock', 'k', { Session: b }));
  expect(json).toMatchObject({ Errors: [{ What: 'failed to lock key "k", lock is already held' }] });
  expect((await txn(kv('unlock', 'k', { Session: a }))).json).toMatchObject({
    Results: [{ KV: { LockIndex: 1, Key: 'k' } }],
  });
  await txn(kv('lock', 'k', { Session: a }));
  await call('PUT', `/v1/session/destroy/${a}`);
  const delayed = await txn(kv('set', 'other'), kv('lock', 'k', { Session: b }));
  expect(delayed.json).toEqual({
    Results: null,
    Errors: [{ OpIndex: 1, What: 'failed to lock key "k" due to lock delay' }],
  });
  expect((await call('GET', '/v1/kv/other')).status).toBe(404);
});

test('an empty value is no value', async () => {
  const { json } = await txn(
    kv('set', 'a', { Value: '' }),
    kv('set', 'b', { Value: null }),
    kv('get-tree', 'a'),
  );
  expect(json).toMatchObject({ Results: [{}, {}, { KV: { Key: 'a', Value: null } }] });
});

test.each<[unknown, number, string]>([
  [[{ KV: { Verb: 'set', Key: 'a', Bogus: 1 } }], 400, 'Failed to parse body: json: unknown field "Bogus"'],
  [[{ KV: { Verb: 'set', Key: 'a', Value: '*' } }], 400, 'Failed to parse body: illegal base64 data'],
  [[{ KV: { Verb: 'set', Key: 'a', Value: 'YQ=' } }], 400, 'Failed to parse body: illegal base64 data'],
  [
    [{ KV: { Verb: 'set', Key: 'a', Flags: -1 } }],
    400,
    'Failed to parse body: json: cannot unmarshal number -1',
  ],
  ['', 400, 'Failed to parse body: EOF'],
  [Array.from({ length: 65 }, () => ({})), 413, 'Transaction contains too many operations (65 > 64)'],
])('%j is refused', async (body, status, text) => {
  const answer = await call('PUT', '/v1/txn', body);
  expect([answer.status, answer.text.slice(0, text.length)]).toEqual([status, text]);
});

describe('what a transaction does to the catalog', () => {
  const node = (Verb: string, more: object = {}) => ({
    Node: { Verb, Node: { Node: 'ext', Address: '10.0.0.9', ...more } },
  });
  const service = (Verb: string, more: object = {}) => ({
    Service: { Verb, Node: 'ext', Service: { ID: 'w1', Service: 'web', Port: 80, ...more } },
  });
  const check = (Verb: string, more: object = {}) => ({
    Check: { Verb, Check: { Node: 'ext', CheckID: 'c', Name: 'c', Status: 'passing', ...more } },
  });
  const webs = async () => (await call('GET', '/v1/health/service/web')).json as object[];

  test('is done with keys at once', async () => {
    const { status, json } = await txn(
      node('set'),
      service('set', { Tags: ['x'] }),
      check('set', { ServiceID: 'w1' }),
      kv('set', 'registered'),
      service('get'),
    );
    expect(status).toBe(200);
    expect(json).toMatchObject({
      Results: [
        { Node: { Node: 'ext', Address: '10.0.0.9', Datacenter: 'dc1' } },
        { Service: { ID: 'w1', Service: 'web', Tags: ['x'], Port: 80 } },
        { Check: { CheckID: 'c', ServiceName: 'web', ServiceTags: ['x'] } },
        { KV: { Key: 'registered' } },
        { Service: { ID: 'w1' } },
      ],
    });
    expect(await webs()).toMatchObject([{ Node: { Node: 'ext' }, Checks: [{ CheckID: 'c' }] }]);
    await txn(service('delete'), kv('delete', 'registered'));
    expect(await webs()).toEqual([]);
  });

  test('ends sessions, and so frees keys for the operations after it', async () => {
    await txn(node('set'), check('set'));
    const create = await call('PUT', '/v1/session/create', {
      ...{ Node: 'ext', NodeChecks: ['c'], LockDelay: '0s' },
    });
    const { ID } = create.json as { ID: string };
    const mine = ((await call('PUT', '/v1/session/create')).json as { ID: string }).ID;
    await call('PUT', `/v1/kv/k?acquire=${ID}`, 'theirs');
    const { status, json } = await txn(
      check('set', { Status: 'critical' }),
      kv('check-session', 'k', { Session: '' }),
      kv('lock', 'k', { Session: mine, Value: 'bWluZQ==' }),
    );
    expect([status, json]).toMatchObject([
      200,
      { Results: [{}, {}, { KV: { Session: mine, LockIndex: 2 } }] },
    ]);
    expect((await call('GET', `/v1/session/info/${ID}`)).json).toEqual([]);
    expect((await call('GET', '/v1/kv/k?raw')).text).toBe('mine');
  });

  test('can be made to depend on what is there', async () => {
    expect((await txn(node('cas', { ModifyIndex: 9 }))).json).toMatchObject({
      Errors: [{ What: 'failed to set node "ext", index is stale' }],
    });
    const made = await txn(node('cas'), service('cas'), check('cas'));
    expect(made.status).toBe(200);
    const [{ Node }, { Service }, { Check }] = (
      made.json as {
        Results: [
          { Node: { ModifyIndex: number } },
          { Service: { ModifyIndex: number } },
          { Check: { ModifyIndex: number } },
        ];
      }
    ).Results;
    const stale = await txn(
      node('cas'),
      service('cas'),
      check('cas'),
      node('delete-cas', { ModifyIndex: 1 }),
      service('delete-cas', { ModifyIndex: 1 }),
      check('delete-cas', { ModifyIndex: 1 }),
    );
    expect((stale.json as { Errors: { What: string }[] }).Errors.map(({ What }) => What)).toEqual([
      'failed to set node "ext", index is stale',
      'failed to set service "w1" on node "ext", index is stale',
      'failed to set check "c" on node "ext", index is stale',
      'failed to delete node "ext", index is stale',
      'failed to delete service "w1" on node "ext", index is stale',
      'failed to delete check "c" on node "ext", index is stale',
    ]);
    const gone = await txn(
      check('delete-cas', { ModifyIndex: Check.ModifyIndex }),
      service('delete-cas', { ModifyIndex: Service.ModifyIndex }),
      node('delete-cas', { ModifyIndex: Node.ModifyIndex }),
    );
    expect(gone.status).toBe(200);
    expect((await call('GET', '/v1/catalog/node/ext')).json).toBeNull();
  });

  test.each<[object, string]>([
    [node('get'), `node "ext" doesn't exist`],
    [service('get'), `service "w1" on node "ext" doesn't exist`],
    [check('get'), `check "c" on node "ext" doesn't exist`],
    [service('set'), 'Missing node registration'],
    [check('set'), 'Missing node registration'],
    [node('explode'), 'unknown Node verb "explode"'],
    [service('explode'), 'unknown Service verb "explode"'],
    [check('explode'), 'unknown Check verb "explode"'],
    [node('set', { Node: '' }), 'Must provide node'],
    [service('set', { Service: '' }), 'Must provide service name with ID'],
    [service('set', { Address: '0.0.0.0' }), 'Invalid service address'],
    [
      { Check: { Verb: 'set', Check: { Node: 'lb-1', Name: 'c', ServiceID: 'x' } } },
      'Missing service registration',
    ],
    [{ Check: { Verb: 'set', Check: { Node: 'lb-1', Name: 'serfHealth' } } }, "registry's own on this node"],
  ])('%j is refused', async (op, why) => {
    const { status, json } = await txn({}, kv('set', 'a'), op);
    expect(status).toBe(409);
    expect(json).toMatchObject({ Errors: [{ OpIndex: 1, What: expect.stringContaining(why) }] });
    expect((await call('GET', '/v1/kv/a')).status).toBe(404);
  });

  test("leaves the registry's own rows alone", async () => {
    await txn({ Node: { Verb: 'delete', Node: { Node: 'lb-1' } } });
    expect((await call('GET', '/v1/health/service/consul')).json).toHaveLength(1);
  });
});
