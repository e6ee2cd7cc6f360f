import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLog } from '../../src/core/log.ts';
import type { Change } from '../../src/registry/model.ts';
import { connectRedis, type RedisClient } from '../../src/registry/stores/redis/clients.ts';
import { storeKeys } from '../../src/registry/stores/redis/keys.ts';
import { CommitLog } from '../../src/registry/stores/redis/log.ts';
import { putBackCommits } from '../../src/registry/stores/redis/put-back-commits.ts';
import { type Acknowledged, RecentCommits } from '../../src/registry/stores/redis/recent-commits.ts';
import { Replay } from '../../src/registry/stores/redis/replay.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer } from '../helpers/redis-server.ts';
import {
  CAUSE,
  deleteKv,
  deleteKvTree,
  putKv,
  putNode,
  putService,
  putSession,
} from '../helpers/registry-rows.ts';

// What a Redis that took over never got is put back, and what others have written in its place meanwhile stays.

let redis: RedisServer;
let client: RedisClient;
let registries = 0;

/** A log of its own, with commits one after the other. */
async function logOf(...commits: readonly (readonly Change[])[]) {
  registries += 1;
  const store = new CommitLog(client, storeKeys(`put-back-${registries}`));
  const epoch = await store.found(randomUUID(), 1);
  const uids = commits.map(() => randomUUID());
  for (const [i, changes] of commits.entries())
    await store.append(epoch, uids[i] ?? '', { changes, cause: CAUSE, expects: [] }, 0);
  const read = async () => (await Replay.read(store, 'a')).catalog;
  return { store, epoch, uids, read };
}

function lost(index: number, ...changes: readonly Change[]): Acknowledged {
  return { uid: randomUUID(), index, changes, cause: CAUSE, expects: [] };
}

const BEFORE = [
  putNode('a'),
  putNode('out'),
  putSession('mine', 'a'),
  putSession('theirs', 'a'),
  putKv('one', 'old'),
  putKv('two', 'old'),
];

/** All is in the log up to index 2; `since` is what others have written there after it, or this node where `own`. */
async function putBack(
  missing: readonly (readonly Change[])[],
  since: readonly (readonly Change[])[],
  isOwn = false,
) {
  const log = await logOf(BEFORE, ...since);
  const replay = await Replay.read(log.store, 'a');
  const all = missing.map((changes, i) => lost(3 + i, ...changes));
  const own = new Set([...(isOwn ? log.uids : []), ...all.map(({ uid }) => uid)]);
  await putBackCommits({ ...log, replay, log: silentLog, self: 'a', own }, all);
  const catalog = await log.read();
  const value = (key: string) => {
    const entry = catalog.kv.entry(key).value;
    return entry && Buffer.from(entry.value).toString();
  };
  return { catalog, value };
}

needs('redis-server', 'redis-server').describe('commits that a new master never got', () => {
  beforeAll(async () => {
    redis = await RedisServer.start();
    const address = { host: '127.0.0.1', port: redis.port };
    client = connectRedis(
      {
        kind: 'single',
        hosts: [address],
        master: '',
        database: 0,
        sentinelPassword: undefined,
        username: undefined,
        password: undefined,
        tls: undefined,
      },
      'test',
      3_000,
      Math.random,
    );
    await client.connect();
  });

  afterAll(async () => {
    client.disconnect();
    await redis[Symbol.asyncDispose]();
  });

  test('are there again', async () => {
    const { value, catalog } = await putBack(
      [[putKv('one', 'new')], [putKv('one', 'newer')], [putService('a', 'web')]],
      [],
    );
    expect(value('one')).toBe('newer');
    expect(catalog.instance('a', 'web')).toBeDefined();
  });

  test('follow upon those that were put back before, in an attempt that was cut short', async () => {
    const { value } = await putBack([[putKv('one', 'newer')]], [[putKv('one', 'new')]], true);
    expect(value('one')).toBe('newer');
  });

  test('are those that the log lacks as it is now, wherever they were before', () => {
    const recent = new RecentCommits();
    const [skipped, moved] = [lost(3), lost(4)];
    for (const commit of [skipped, moved]) recent.add(commit, 0);
    recent.relocate((uid) => (uid === moved.uid ? { index: 100, isVain: false } : undefined), 1);
    expect(recent.missingIn(() => false, 0)).toEqual([{ ...moved, index: 100 }]);
  });

  test('leave a key as others have written it since', async () => {
    const { value } = await putBack([[putKv('one', 'new')]], [[putKv('one', 'theirs')]]);
    expect(value('one')).toBe('theirs');
  });

  test('of which one is a transaction lose only the rows that others have written since', async () => {
    const { value, catalog } = await putBack(
      [[putKv('one', 'new'), putKv('two', 'new'), putService('a', 'web')]],
      [[putKv('one', 'theirs')]],
    );
    expect(value('one')).toBe('theirs');
    expect(value('two')).toBe('new');
    expect(catalog.instance('a', 'web')).toBeDefined();
  });

  test('that were made under a lock which somebody else has now are not made, but for what is the own node’s', async () => {
    const { value, catalog } = await putBack(
      [[putKv('one', 'new', { session: 'mine' }), putKv('two', 'new'), putService('a', 'web')]],
      [[putKv('one', 'theirs', { session: 'theirs' })]],
    );
    expect(value('one')).toBe('theirs');
    expect(value('two')).toBe('old');
    expect(catalog.instance('a', 'web')).toBeDefined();
  });

  test.each([
    ['a key', [deleteKv('one')]],
    ['a tree of keys', [deleteKvTree('')]],
  ])('and that deleted %s leave what others have written since', async (_, changes) => {
    const { value } = await putBack([changes], [[putKv('one', 'theirs')]]);
    expect(value('one')).toBe('theirs');
  });

  test('and that deleted a tree of keys delete the rest of it', async () => {
    const { value } = await putBack([[deleteKvTree('')]], [[putKv('one', 'theirs')]]);
    expect(value('two')).toBeUndefined();
  });

  test('do not bring back a key that others have deleted since', async () => {
    const { value } = await putBack([[putKv('one', 'new')]], [[deleteKv('one')]]);
    expect(value('one')).toBeUndefined();
  });

  test('do not undo what others have written on a node of nobody’s since', async () => {
    const { catalog } = await putBack(
      [[putService('out', 'web', 'web', { port: 1 })]],
      [[putService('out', 'web', 'web', { port: 2 })]],
    );
    expect(catalog.instance('out', 'web')?.port).toBe(2);
  });
});
