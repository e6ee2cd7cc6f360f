import { afterEach, beforeEach, expect } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { CuttableLink } from '../helpers/cuttable-link.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer, redisStore } from '../helpers/redis-server.ts';
import { CAUSE, instanceRow, sessionRequest } from '../helpers/registry-rows.ts';

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

withRedis.test(
  'a lock that reached Redis after another is not acknowledged when its answer was lost',
  async () => {
    await registry.start();
    await using link = await CuttableLink.open(redis.port);
    const away = redisStore({ kind: 'single', ports: [link.port], prefix: 'vane', lease: 15_000 });
    const node = { name: 'b', address: '127.0.0.1', datacenter: 'dc1', meta: {} };
    const other = new Registry({ store: away, clock: systemClock, log: silentLog, node });
    await other.start();
    try {
      const lock = { verb: 'lock', key: 'k', value: Buffer.from(''), flags: '0', index: 0 } as const;
      const [mine, theirs] = [
        await registry.sessions.create(sessionRequest('a'), CAUSE),
        await registry.sessions.create(sessionRequest('a'), CAUSE),
      ];
      await eventually(() => expect(other.catalog.sessions.get(theirs).value).toBeDefined(), WITHIN_MS);
      link.cut();
      expect(await registry.kv.write({ ...lock, session: mine }, CAUSE)).toBe(true);
      // On its way when the answer is given up for lost.
      const late = other.kv.write({ ...lock, session: theirs }, CAUSE).catch(() => false);
      await eventually(() => expect(away.trouble).toBeDefined(), WITHIN_MS);
      const { node: _, ...service } = instanceRow('', 'web-1', 'web');
      await other.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
      link.mend();
      expect(await late).toBe(false);
      await eventually(() => expect(registry.catalog.instance('b', 'web-1')).toBeDefined(), WITHIN_MS);
      expect(registry.catalog.kv.entry('k').value?.session).toBe(mine);
    } finally {
      await other.stop(performance.now() + 1_000);
    }
  },
  60_000,
);
