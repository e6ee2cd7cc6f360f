import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer } from '../helpers/redis-server.ts';
import { CAUSE, sessionRequest } from '../helpers/registry-rows.ts';

// Sessions and locks, when Redis has lost everything: those who hold one must not learn of it by another holding it, too.

interface Node {
  readonly registry: Registry;
  readonly store: RedisStore;
}

const WITHIN_MS = 20_000;
let redis: RedisServer;
const nodes: Node[] = [];

beforeEach(async () => {
  redis = await RedisServer.start();
});

afterEach(async () => {
  for (const { registry } of nodes.splice(0)) await registry.stop(performance.now() + 1_000);
  await redis[Symbol.asyncDispose]();
});

async function join(name: string): Promise<Node> {
  const store = redis.store('vane');
  const node = { name, address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  const registry = new Registry({ store, clock: systemClock, log: silentLog, node });
  nodes.push({ registry, store });
  await registry.start();
  return { registry, store };
}

/** Resolves to the session that holds the key from now on. */
async function lock({ registry }: Node, node: string, key: string, lockDelay = 0): Promise<string> {
  const session = await registry.sessions.create(sessionRequest(node, { name: key, lockDelay }), CAUSE);
  expect(await acquires(registry, key, session)).toBe(true);
  return session;
}

function acquires({ kv }: Registry, key: string, session: string): Promise<boolean> {
  const entry = { value: Buffer.from('held'), flags: '0', index: 0 };
  return kv.write({ ...entry, verb: 'lock', key, session }, CAUSE);
}

const holderOf = ({ registry }: Node, key: string) => registry.catalog.kv.entry(key).value?.session;

needs('redis-server', 'redis-server').describe('a Redis that was restarted empty', () => {
  test.each([1, 2, 3])(
    'has the locks of its %d nodes again',
    async (count) => {
      const names = ['one', 'two', 'three'].slice(0, count);
      const all: Node[] = [];
      for (const name of names) all.push(await join(name));
      const held = new Map<string, string>();
      for (const [i, node] of all.entries()) {
        const name = names[i] ?? '';
        held.set(`lock-${name}`, await lock(node, name, `lock-${name}`));
      }
      await eventually(() => {
        for (const node of all) for (const [key, session] of held) expect(holderOf(node, key)).toBe(session);
      }, WITHIN_MS);
      await redis.kill();
      for (const { store } of all) await eventually(() => expect(store.trouble).toBeDefined(), WITHIN_MS);
      await redis.start();
      for (const { store } of all) await eventually(() => expect(store.trouble).toBeUndefined(), WITHIN_MS);
      const fresh = await join('fresh');
      await eventually(() => {
        for (const node of [...all, fresh]) {
          for (const [key, session] of held) expect(holderOf(node, key)).toBe(session);
        }
      }, WITHIN_MS);
    },
    60_000,
  );
});

needs('redis-server', 'redis-server').describe('the lock of a session that has ended', () => {
  test('waits for its delay at a node that was started since, too', async () => {
    const first = await join('first');
    await first.registry.sessions.destroy(await lock(first, 'first', 'k', 2_000), CAUSE);
    const { registry } = await join('second');
    const session = await registry.sessions.create(sessionRequest('second'), CAUSE);
    expect(await acquires(registry, 'k', session)).toBe(false);
    const plain = { value: Buffer.from(''), flags: '0', index: 0 };
    const { errors } = await registry.transactions.run(
      [{ ...plain, kind: 'kv', verb: 'lock', key: 'k', session }],
      CAUSE,
    );
    expect(errors).toEqual([{ op: 0, what: 'failed to lock key "k" due to lock delay' }]);
    await eventually(async () => expect(await acquires(registry, 'k', session)).toBe(true), WITHIN_MS);
  });

  test('waits for it there even when Redis has been restarted empty since', async () => {
    const first = await join('first');
    await first.registry.sessions.destroy(await lock(first, 'first', 'k', 60_000), CAUSE);
    await redis.kill();
    await eventually(() => expect(first.store.trouble).toBeDefined(), WITHIN_MS);
    await redis.start();
    await eventually(() => expect(first.store.trouble).toBeUndefined(), WITHIN_MS);
    const { registry } = await join('second');
    const session = await registry.sessions.create(sessionRequest('second'), CAUSE);
    expect(await acquires(registry, 'k', session)).toBe(false);
  });
});
