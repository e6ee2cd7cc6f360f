import { afterEach, expect } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { type RedisGroup, startCluster, startSentinels } from '../helpers/redis-groups.ts';
import { redisStore } from '../helpers/redis-server.ts';
import { type LogLine, recordedLog } from '../helpers/registry.ts';
import { CAUSE, instanceRow } from '../helpers/registry-rows.ts';

interface Node {
  readonly registry: Registry;
  readonly store: RedisStore;
  readonly lines: readonly LogLine[];
}

const WITHIN_MS = 40_000;
const nodes: Node[] = [];
let group: RedisGroup | undefined;

afterEach(async () => {
  for (const { registry } of nodes.splice(0)) await registry.stop(performance.now() + 1_000);
  await group?.[Symbol.asyncDispose]();
  group = undefined;
});

async function join(kind: 'sentinel' | 'cluster', { ports }: RedisGroup, name: string): Promise<Node> {
  const node = { name, address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  const { log, lines } = recordedLog();
  const store = redisStore({ kind, ports, prefix: 'vane', lease: 6_000, log });
  const registry = new Registry({ store, clock: systemClock, log, node });
  await registry.start();
  nodes.push({ registry, store, lines });
  return { registry, store, lines };
}

function ids({ registry }: Node): readonly string[] {
  return registry.catalog.entries('web').value.map(({ instance }) => instance.id);
}

function value({ registry }: Node, key: string): string {
  return Buffer.from(registry.catalog.kv.entry(key).value?.value ?? []).toString();
}

/**
 * Registers and writes at both nodes all the time, kills the master under it, goes on for a while with the next one, and
 * then compares what was acknowledged with what both nodes and a new one have.
 */
async function failOver(kind: 'sentinel' | 'cluster', servers: RedisGroup): Promise<void> {
  group = servers;
  const both = [await join(kind, servers, 'a'), await join(kind, servers, 'b')];
  const registered = new Set<string>();
  const written = new Map<string, string>();
  let refused = 0;
  let isOver = false;
  const work = both.map(async (node, at) => {
    for (let n = 0; !isOver; n++) {
      const id = `${at}-${String(n).padStart(6, '0')}`;
      const { node: _, ...service } = instanceRow('', id, 'web');
      await node.registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
      registered.add(id);
      if (n % 3 === 0) {
        await node.registry.deregisterService(id, CAUSE);
        registered.delete(id);
      }
      const [key, text] = [`k${at}-${n % 50}`, String(n)];
      const plain = { flags: '0', index: 0, session: '' };
      await node.registry.kv.write({ ...plain, verb: 'set', key, value: Buffer.from(text) }, CAUSE).then(
        () => written.set(key, text),
        () => {
          refused += 1;
          // It may have been stored or not.
          written.delete(key);
        },
      );
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  });
  await eventually(() => expect(registered.size).toBeGreaterThan(100), WITHIN_MS);
  const master = await servers.master();
  // What is acknowledged from now on the one that takes over does not get.
  const replica = await servers.replicaOf(master);
  replica.signal('SIGSTOP');
  await master.ask((redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'replica'));
  const { size: beforeCut } = registered;
  await eventually(() => expect(registered.size).toBeGreaterThan(beforeCut + 20), WITHIN_MS);
  await master.kill();
  replica.signal('SIGCONT');
  await eventually(() => expect(both.some(({ store }) => store.trouble)).toBe(true), WITHIN_MS);
  const next = await eventually(() => servers.master(), WITHIN_MS);
  expect(next.port).not.toBe(master.port);
  await eventually(() => {
    for (const { store, registry } of both) {
      expect(store.trouble).toBeUndefined();
      expect(registry.cluster?.view.lease).toBe('held');
    }
  }, WITHIN_MS);
  const before = written.size;
  const { size } = registered;
  await eventually(() => {
    expect(registered.size).toBeGreaterThan(size + 20);
    expect(written.size).toBeGreaterThanOrEqual(before);
  }, WITHIN_MS);
  isOver = true;
  await Promise.all(work);
  const all = [...both, await join(kind, servers, 'fresh')];
  await eventually(() => {
    for (const node of all) {
      expect(ids(node)).toEqual([...registered].sort());
      for (const [key, text] of written) expect(value(node, key)).toBe(text);
    }
  }, WITHIN_MS);
  expect(refused).toBeGreaterThan(0);
  const putBack = both.flatMap(({ lines }) =>
    lines.filter(({ message }) => message.startsWith('redis has lost')),
  );
  expect(putBack.length).toBeGreaterThan(0);
  await eventually(() => {
    for (const { registry } of all) {
      const healths = ['a', 'b', 'fresh'].map((name) => registry.catalog.check(name, 'serfHealth')?.status);
      expect(healths).toEqual(['passing', 'passing', 'passing']);
    }
  }, WITHIN_MS);
}

needs('redis-sentinel', 'redis-sentinel').test(
  'a master that dies loses nothing that was acknowledged: Sentinels',
  async () => failOver('sentinel', await startSentinels()),
  120_000,
);

needs('redis-server', 'redis-server').test(
  'a master that dies loses nothing that was acknowledged: Redis Cluster',
  async () => failOver('cluster', await startCluster('{vane}')),
  120_000,
);
