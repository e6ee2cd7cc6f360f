import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import type { KvWrite } from '../../src/registry/kv-plans.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { CuttableLink } from '../helpers/cuttable-link.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer, redisStore } from '../helpers/redis-server.ts';
import { CAUSE, instanceRow, nodeRow, serviceRequest, sessionRequest } from '../helpers/registry-rows.ts';

// A Redis that was restarted empty, whose nodes come back one after the other and do not all know the same.

interface Node {
  readonly registry: Registry;
  readonly store: RedisStore;
  readonly link: CuttableLink;
}

const WITHIN_MS = 20_000;
let redis: RedisServer;
const nodes: Node[] = [];
const links: CuttableLink[] = [];

beforeEach(async () => {
  redis = await RedisServer.start();
});

afterEach(async () => {
  for (const { registry } of nodes.splice(0)) await registry.stop(performance.now() + 1_000);
  for (const link of links.splice(0)) await link[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

/** A node with a way to Redis of its own. */
async function join(name: string): Promise<Node> {
  const link = await CuttableLink.open(redis.port);
  links.push(link);
  const store = redisStore({ kind: 'single', ports: [link.port], prefix: 'vane', lease: 15_000 });
  const node = { name, address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  const registry = new Registry({ store, clock: systemClock, log: silentLog, node });
  await registry.start();
  nodes.push({ registry, store, link });
  return { registry, store, link };
}

async function away({ store, link }: Node): Promise<void> {
  link.refuse();
  await eventually(() => expect(store.trouble).toBeDefined(), WITHIN_MS);
}

async function back({ store, link }: Node): Promise<void> {
  link.mend();
  await eventually(() => expect(store.trouble).toBeUndefined(), WITHIN_MS);
}

async function restartEmpty(): Promise<void> {
  await redis.kill();
  await redis.start();
}

/** Both have taken in the same. */
async function level(...all: readonly Node[]): Promise<void> {
  await eventually(() => {
    const indexes = new Set(all.map(({ registry }) => registry.catalog.index));
    expect(indexes.size).toBe(1);
  }, WITHIN_MS);
}

function write(
  { registry }: Node,
  key: string,
  value: string,
  more: Partial<KvWrite> = {},
): Promise<boolean> {
  const plain = { verb: 'set', flags: '0', index: 0, session: '' } as const;
  return registry.kv.write({ ...plain, key, value: Buffer.from(value), ...more }, CAUSE);
}

function register({ registry }: Node, id: string): Promise<void> {
  const { node: _, ...service } = instanceRow('', id, 'web');
  return registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
}

/** What a node has of what the tests write. */
function known({ registry: { catalog } }: Node) {
  return {
    keys: catalog.kv
      .under('')
      .value.map(({ key, value, session }) => [key, Buffer.from(value).toString(), session]),
    sessions: catalog.sessions.all().value.map(({ id }) => id),
    web: catalog
      .entries('web')
      .value.map(({ instance }) => `${instance.node} ${instance.id} ${instance.port}`),
  };
}

needs('redis-server', 'redis-server').describe('a Redis that was restarted empty', () => {
  test('has what the node knows that knows most, whoever comes back first', async () => {
    const [fresh, stale] = [await join('fresh'), await join('stale')];
    const outside = (port: number) =>
      fresh.registry.catalogRegister(
        {
          node: { ...nodeRow('outside'), skipUpdate: false },
          service: { ...serviceRequest('web-1', 'web'), port },
          checks: [],
        },
        CAUSE,
      );
    const [ended, holder] = [
      await fresh.registry.sessions.create(sessionRequest('fresh'), CAUSE),
      await fresh.registry.sessions.create(sessionRequest('fresh'), CAUSE),
    ];
    await write(fresh, 'changed', 'old');
    await write(fresh, 'deleted', 'old');
    await write(fresh, 'lock', 'old', { verb: 'lock', session: ended });
    await outside(1);
    await level(fresh, stale);
    await away(stale);
    await write(fresh, 'changed', 'new');
    await write(fresh, 'deleted', '', { verb: 'delete' });
    await write(fresh, 'made', 'new');
    await fresh.registry.sessions.destroy(ended, CAUSE);
    await write(fresh, 'lock', 'new', { verb: 'lock', session: holder });
    await outside(2);
    const before = known(fresh);
    await away(fresh);
    await restartEmpty();
    await back(stale);
    expect(known(stale)).not.toEqual(before);
    await back(fresh);
    await level(fresh, stale);
    for (const node of [fresh, stale, await join('another')]) expect(known(node)).toEqual(before);
  });

  test('does not get back what was deleted after another node had put it back', async () => {
    const [first, late] = [await join('first'), await join('late')];
    await write(first, 'kept', 'old');
    await write(first, 'deleted', 'old');
    await level(first, late);
    await away(late);
    await away(first);
    await restartEmpty();
    await back(first);
    await write(first, 'deleted', '', { verb: 'delete' });
    await write(first, 'made', 'new');
    await back(late);
    await level(first, late);
    for (const node of [first, late]) {
      expect(known(node).keys).toEqual([
        ['kept', 'old', ''],
        ['made', 'new', ''],
      ]);
    }
  });

  test('gets back from others what a node that has lost its memory had registered', async () => {
    const [other, lost] = [await join('other'), await join('lost')];
    await register(lost, 'web-1');
    await register(lost, 'web-2');
    await level(other, lost);
    const before = other.registry.catalog.index;
    await away(other);
    // Its process ends, as far as anybody can tell, and the next one is there before anybody who knows of it.
    nodes.splice(nodes.indexOf(lost), 1);
    await lost.store.close();
    await restartEmpty();
    const again = await join('lost');
    await register(again, 'web-3');
    await back(other);
    const ids = ['lost web-1 80', 'lost web-2 80', 'lost web-3 80'];
    await eventually(() => {
      for (const node of [other, again]) expect(known(node).web).toEqual(ids);
    }, WITHIN_MS);
    // Whoever waits for something later than what they saw is told.
    for (const node of [other, again]) expect(node.registry.catalog.index).toBeGreaterThan(before);
    await lost.registry.stop(performance.now() + 1_000);
  });

  test('does not get back what a node has deregistered while nobody could hear it', async () => {
    const [other, owner] = [await join('other'), await join('owner')];
    await register(owner, 'web-1');
    await register(owner, 'web-2');
    await level(other, owner);
    await away(other);
    await away(owner);
    await owner.registry.deregisterService('web-1', CAUSE);
    await restartEmpty();
    await back(owner);
    await back(other);
    await level(other, owner);
    for (const node of [other, owner]) expect(known(node).web).toEqual(['owner web-2 80']);
  });
});
