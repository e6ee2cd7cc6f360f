import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer, redisStore } from '../helpers/redis-server.ts';
import { CAUSE, checkRequest, instanceRow, sessionRequest } from '../helpers/registry-rows.ts';

// Time as the nodes of one registry see it: clocks that differ, long absences, and nodes that remember nothing.

const LEASE_MS = 1_500;
const WITHIN_MS = 15_000;
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

interface Node {
  readonly registry: Registry;
  readonly store: RedisStore;
}

/** A clock that runs as the machine's does but shows another time, which a test may move. */
class ShiftedClock implements Clock {
  #shift: number;

  constructor(shift = 0) {
    this.#shift = shift;
  }

  now = (): number => systemClock.now() + this.#shift;
  wall = (): number => systemClock.wall() + this.#shift;
  after = systemClock.after;

  move(ms: number): void {
    this.#shift += ms;
  }
}

let redis: RedisServer;
const nodes: Node[] = [];

beforeEach(async () => {
  redis = await RedisServer.start();
});

afterEach(async () => {
  for (const { registry } of nodes.splice(0)) await registry.stop(performance.now() + 1_000);
  await redis[Symbol.asyncDispose]();
});

async function enter(name: string, clock: Clock, outboxFile?: string): Promise<Node> {
  const store = redisStore({
    ...{ kind: 'single', ports: [redis.port], prefix: 'vane', lease: LEASE_MS, clock, outboxFile },
  });
  const node = { name, address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  const registry = new Registry({ store, clock, log: silentLog, node });
  await registry.start();
  nodes.push({ registry, store });
  return { registry, store };
}

function health({ registry }: Node, of: string): string | undefined {
  return registry.catalog.check(of, 'serfHealth')?.status;
}

/** When a node's lease lapses, in ms of the clock of Redis. */
async function lapseOf(node: string): Promise<number> {
  return Number(await redis.ask((client) => client.zscore('{vane}:leases', node)));
}

async function lapsedFor(node: string, ms: number): Promise<void> {
  await redis.ask(async (client) => {
    const [seconds] = await client.time();
    await client.zadd('{vane}:leases', Number(seconds) * 1_000 - ms, node);
  });
}

needs('redis-server', 'redis-server').describe('nodes that share a registry', () => {
  test('need not agree on what time it is', async () => {
    const ahead = await enter('ahead', new ShiftedClock(YEAR_MS));
    const behind = await enter('behind', new ShiftedClock(-YEAR_MS));
    const session = await behind.registry.sessions.create(
      sessionRequest('behind', { ttl: '1s', ttlMs: 1_000 }),
      CAUSE,
    );
    const [first, other] = [await lapseOf('ahead'), await lapseOf('behind')];
    // For the time of some leases all stay alive, and a session that is renewed goes on.
    await eventually(async () => {
      expect(await ahead.registry.sessions.renew(session)).toBeDefined();
      expect(await lapseOf('ahead')).toBeGreaterThan(first + 2 * LEASE_MS);
      expect(await lapseOf('behind')).toBeGreaterThan(other + 2 * LEASE_MS);
    }, WITHIN_MS);
    for (const node of [ahead, behind]) {
      expect([health(node, 'ahead'), health(node, 'behind')]).toEqual(['passing', 'passing']);
      expect(node.registry.catalog.sessions.get(session).value).toBeDefined();
    }
    await eventually(() => {
      for (const { registry } of [ahead, behind])
        expect(registry.catalog.sessions.get(session).value).toBeUndefined();
    }, WITHIN_MS);
    await behind.store.close();
    await eventually(() => expect(health(ahead, 'behind')).toBe('critical'), WITHIN_MS);
  });

  test('forget one that has been away for 72 hours, and not before', async () => {
    const clock = new ShiftedClock();
    const [leader, gone] = [await enter('leader', clock), await enter('gone', clock)];
    await gone.store.close();
    await eventually(() => expect(health(leader, 'gone')).toBe('critical'), WITHIN_MS);
    const names = async () => (await leader.registry.cluster?.status())?.members.map(({ node }) => node);
    await lapsedFor('gone', 72 * HOUR_MS - 60_000);
    clock.move(HOUR_MS / 4);
    // It looks for such nodes in the course of renewing its lease.
    const lapse = await lapseOf('leader');
    await eventually(
      async () => expect(await lapseOf('leader')).toBeGreaterThan(lapse + LEASE_MS),
      WITHIN_MS,
    );
    expect(leader.registry.catalog.node('gone').value).toBeDefined();
    await lapsedFor('gone', 72 * HOUR_MS + 1_000);
    clock.move(HOUR_MS / 4);
    await eventually(async () => {
      expect(leader.registry.catalog.node('gone').value).toBeUndefined();
      expect(await names()).toEqual(['leader']);
    }, WITHIN_MS);
  });

  test('give back to one that has lost its disk what was registered there', async () => {
    const [before, after] = ['before', 'after'].map((name) => mkdtempSync(join(tmpdir(), `vane-${name}-`)));
    try {
      const other = await enter('other', systemClock);
      const lost = await enter('lost', systemClock, join(before ?? '', 'outbox'));
      const { node: _, ...service } = instanceRow('', 'web-1', 'web');
      const checks = [checkRequest('web-1-alive', { status: 'passing', type: 'ttl' })];
      await lost.registry.registerService({ service, checks, replaceChecks: false }, CAUSE);
      const id = lost.registry.catalog.node('lost').value?.node.id;
      await lost.store.close();
      const again = await enter('lost', systemClock, join(after ?? '', 'outbox'));
      for (const { registry } of [again, other]) {
        await eventually(() => {
          expect(registry.catalog.instance('lost', 'web-1')).toBeDefined();
          expect(registry.catalog.check('lost', 'web-1-alive')?.status).toBe('passing');
          expect(registry.catalog.node('lost').value?.node.id).toBe(id);
        }, WITHIN_MS);
      }
    } finally {
      for (const { registry } of nodes.splice(0)) await registry.stop(performance.now() + 1_000);
      for (const folder of [before, after]) rmSync(folder ?? '', { recursive: true, force: true });
    }
  });
});
