import { afterEach, beforeEach, expect } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer, redisStore } from '../helpers/redis-server.ts';
import { CAUSE, instanceRow } from '../helpers/registry-rows.ts';

// A node takes in what it has missed, while work of its own goes on.

const WITHIN_MS = 20_000;

let redis: RedisServer;
let store: RedisStore;
let registry: Registry;

beforeEach(async () => {
  redis = await RedisServer.start();
  store = redisStore({ kind: 'single', ports: [redis.port], prefix: 'vane', lease: 15_000 });
  const node = { name: 'a', address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  registry = new Registry({ store, clock: systemClock, log: silentLog, node });
});

afterEach(async () => {
  await registry.stop(performance.now() + 1_000);
  await redis[Symbol.asyncDispose]();
});

const withRedis = needs('redis-server', 'redis-server');

withRedis.test(
  'what is asked for meanwhile, and fails, is told to have failed',
  async () => {
    await registry.start();
    // Much to put back, so that it takes a while.
    for (let i = 0; i < 50; i++) {
      const { node: _, ...service } = instanceRow('', `web-${i}`, 'web');
      await registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
    }
    for (let round = 0; round < 4; round++) {
      const leaders: Promise<unknown>[] = [];
      await redis.kill();
      await eventually(() => expect(store.trouble).toBeDefined(), WITHIN_MS);
      await redis.start();
      // As the leader's duties do, which the registry of before is known to still.
      while (store.trouble) {
        const due = { kind: 'due', session: 'none' } as const;
        leaders.push(
          store.coordination
            .commitIf('0', due, [{ op: 'delete-node', node: 'b' }], CAUSE)
            .catch((error: unknown) => error),
        );
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      let open = leaders.length;
      for (const one of leaders) void one.then(() => open--);
      await eventually(() => expect(open).toBe(0), WITHIN_MS);
    }
  },
  120_000,
);
