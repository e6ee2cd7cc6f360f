import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import type { KvWrite } from '../../src/registry/kv-plans.ts';
import { Registry } from '../../src/registry/registry.ts';
import { storeKeys } from '../../src/registry/stores/redis/keys.ts';
import { CommitLog } from '../../src/registry/stores/redis/log.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { Replay } from '../../src/registry/stores/redis/replay.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer } from '../helpers/redis-server.ts';
import { CAUSE, instanceRow } from '../helpers/registry-rows.ts';

/** One node of several with one registry. */
interface Node {
  readonly registry: Registry;
  readonly store: RedisStore;
}

let redis: RedisServer;
const nodes: Node[] = [];

const withRedis = needs('redis-server', 'redis-server');

beforeEach(async () => {
  redis = await RedisServer.start();
});

afterEach(async () => {
  for (const { registry } of nodes.splice(0)) await registry.stop(performance.now() + 1_000);
  await redis[Symbol.asyncDispose]();
});

async function join(name: string): Promise<Node> {
  const store = redis.store('vane');
  const registry = new Registry({
    store,
    clock: systemClock,
    log: silentLog,
    node: { name, address: '127.0.0.1', datacenter: 'dc1', meta: {} },
  });
  const node = { registry, store };
  nodes.push(node);
  await registry.start();
  return node;
}

function register({ registry }: Node, id: string): Promise<void> {
  const { node: _, ...service } = instanceRow('', id, 'web');
  return registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
}

function write(
  { registry }: Node,
  verb: KvWrite['verb'],
  key: string,
  more: Partial<KvWrite> = {},
): Promise<boolean> {
  const plain = { value: Buffer.from('v'), flags: '0', index: 0, session: '' };
  return registry.kv.write({ ...plain, verb, key, ...more }, CAUSE);
}

/** The ids of the instances of `web`, as a node has them. */
function web({ registry }: Node): readonly string[] {
  return registry.catalog.entries('web').value.map(({ instance }) => instance.id);
}

function sees(node: Node, ids: readonly string[], withinMs = 10_000): Promise<void> {
  return eventually(() => expect(web(node)).toEqual(ids), withinMs);
}

function keyIndex({ registry }: Node, key: string): number {
  return registry.catalog.kv.entry(key).value?.modifyIndex ?? 0;
}

function away(node: Node): Promise<void> {
  return eventually(() => expect(node.store.trouble).toBeDefined(), 10_000);
}

function back(node: Node): Promise<void> {
  return eventually(() => expect(node.store.trouble).toBeUndefined(), 15_000);
}

withRedis.describe('nodes with one registry in Redis', () => {
  test('see what any of them registers, and all come to the same index', async () => {
    const [a, b] = [await join('a'), await join('b')];
    await register(a, 'a-1');
    await register(b, 'b-1');
    await sees(a, ['a-1', 'b-1']);
    await sees(b, ['a-1', 'b-1']);
    await a.registry.deregisterService('a-1', CAUSE);
    await sees(b, ['b-1']);
    expect(a.registry.catalog.index).toBe(b.registry.catalog.index);
    const late = await join('late');
    expect(web(late)).toEqual(['b-1']);
  });

  test('of several check-and-set writes with one index exactly one succeeds, each time', async () => {
    const [a, b] = [await join('a'), await join('b')];
    for (let round = 0; round < 20; round++) {
      const index = keyIndex(a, 'k');
      await eventually(() => expect(keyIndex(b, 'k')).toBe(index));
      const outcomes = await Promise.all(
        [a, b, a, b].map((node, i) =>
          write(node, 'cas', 'k', { index, value: Buffer.from(`${round} ${i}`) }),
        ),
      );
      expect(outcomes.filter(Boolean)).toHaveLength(1);
    }
  });

  test('a lock is held by one session only, however many try at once', async () => {
    const [a, b] = [await join('a'), await join('b')];
    const session = (node: Node, name: string) =>
      node.registry.sessions.create(
        {
          name: '',
          node: name,
          lockDelay: 0,
          behavior: 'release',
          ttl: '',
          ttlMs: 0,
          nodeChecks: null,
          serviceChecks: null,
          checks: null,
        },
        CAUSE,
      );
    const [sa, sb] = [await session(a, 'a'), await session(b, 'b')];
    for (let round = 0; round < 20; round++) {
      const [gotA, gotB] = await Promise.all([
        write(a, 'lock', 'leader', { session: sa }),
        write(b, 'lock', 'leader', { session: sb }),
      ]);
      expect([gotA, gotB].filter(Boolean)).toHaveLength(1);
      const holder = gotA ? sa : sb;
      for (const node of [a, b]) {
        await eventually(() => {
          expect(node.registry.catalog.kv.entry('leader').value?.session).toBe(holder);
        });
      }
      await write(gotA ? a : b, 'unlock', 'leader', { session: holder });
      for (const node of [a, b]) {
        await eventually(() => expect(node.registry.catalog.kv.entry('leader').value?.session).toBe(''));
      }
    }
  });

  test('counters raised by check-and-set from all sides at once lose nothing', async () => {
    const all = [await join('a'), await join('b'), await join('c')];
    const raise = async (node: Node): Promise<void> => {
      for (;;) {
        const entry = node.registry.catalog.kv.entry('n').value;
        const value = Buffer.from(String(Number(Buffer.from(entry?.value ?? []).toString() || 0) + 1));
        if (await write(node, 'cas', 'n', { index: entry?.modifyIndex ?? 0, value })) return;
      }
    };
    await Promise.all(all.flatMap((node) => Array.from({ length: 20 }, () => raise(node))));
    for (const node of all) {
      await eventually(() => {
        expect(Buffer.from(node.registry.catalog.kv.entry('n').value?.value ?? []).toString()).toBe('60');
      });
    }
  });

  test('while Redis is away each goes on with what it knows, and its own changes reach the others afterwards', async () => {
    const [a, b] = [await join('a'), await join('b')];
    await register(a, 'a-1');
    await register(b, 'b-1');
    await sees(a, ['a-1', 'b-1']);
    redis.signal('SIGSTOP');
    try {
      await away(a);
      expect(web(a)).toEqual(['a-1', 'b-1']);
      await register(a, 'a-2');
      await a.registry.deregisterService('a-1', CAUSE);
      expect(web(a)).toEqual(['a-2', 'b-1']);
      await expect(write(a, 'set', 'k')).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(web(b)).toEqual(['a-1', 'b-1']);
    } finally {
      redis.signal('SIGCONT');
    }
    await back(a);
    await sees(b, ['a-2', 'b-1']);
    await sees(a, ['a-2', 'b-1']);
    expect(await write(a, 'set', 'k')).toBe(true);
    await eventually(() => expect(keyIndex(b, 'k')).toBe(keyIndex(a, 'k')));
  });

  test('a Redis that was restarted empty has everything again', async () => {
    const [a, b] = [await join('a'), await join('b')];
    await register(a, 'a-1');
    await register(b, 'b-1');
    await write(a, 'set', 'k');
    await sees(b, ['a-1', 'b-1']);
    await eventually(() => expect(keyIndex(b, 'k')).toBe(keyIndex(a, 'k')));
    await redis.kill();
    await away(a);
    await away(b);
    await register(b, 'b-2');
    await a.registry.deregisterService('a-1', CAUSE);
    await redis.start();
    await back(a);
    await back(b);
    for (const node of [a, b]) await sees(node, ['b-1', 'b-2']);
    const fresh = await join('fresh');
    expect(web(fresh)).toEqual(['b-1', 'b-2']);
    expect(keyIndex(fresh, 'k')).toBeGreaterThan(0);
    await eventually(() => expect(a.registry.catalog.index).toBe(b.registry.catalog.index));
  });

  test('a node that cannot follow any more, because the log was cut, reads all anew', async () => {
    const [a, b] = [await join('a'), await join('b')];
    await register(a, 'a-1');
    await sees(b, ['a-1']);
    // As if it had been cut off while the others wrote a snapshot and cut the log behind it.
    await redis.ask(async (client) => {
      await client.del('{vane}:log');
      const index = Number(await client.get('{vane}:index')) + 5;
      await client.set('{vane}:index', index);
      await client.hset('{vane}:snapshot', 'index', index, 'chunks', 0);
    });
    await register(b, 'b-1');
    // The snapshot was empty, so that what is left shows that it was read.
    await eventually(() =>
      expect(a.registry.catalog.nodes().value).toEqual(b.registry.catalog.nodes().value),
    );
    await eventually(() => expect(web(a)).toEqual(web(b)));
  });

  test('a registry is not taken in with a part of its log missing', async () => {
    const a = await join('a');
    for (const id of ['a-1', 'a-2', 'a-3']) await register(a, id);
    const read = () =>
      redis.ask((client) => Replay.read(new CommitLog(client, storeKeys('vane')), 'another'));
    expect((await read()).index).toBe(a.registry.catalog.index);
    // As where others have written two snapshots, and cut the log twice, since this one began to read.
    await redis.ask((client) => client.xdel('{vane}:log', `${a.registry.catalog.index - 1}-0`));
    await expect(read()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
