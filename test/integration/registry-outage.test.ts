import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer, redisStore } from '../helpers/redis-server.ts';
import { type LogLine, recordedLog } from '../helpers/registry.ts';
import { CAUSE, instanceRow, putKv, sessionRequest } from '../helpers/registry-rows.ts';

const WITHIN_MS = 25_000;

/** A way to Redis whose connections can go dead without being closed, as behind a firewall that forgets them. */
class Path {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  port = 0;

  constructor(to: number) {
    this.#server = createServer((client) => {
      const upstream = tcpConnect(to, '127.0.0.1');
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(one);
        one.on('data', (chunk) => other.write(chunk));
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.on('error', () => {});
      }
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not a TCP port');
    this.port = address.port;
  }

  /** Nothing comes through the connections there are; new ones work. */
  forget(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** How many connections' ends there are. */
  get size(): number {
    return this.#sockets.size;
  }

  /** What was sent through the connections that were forgotten arrives after all. */
  recall(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let redis: RedisServer;
let path: Path;
let store: RedisStore;
let registry: Registry;
let lines: readonly LogLine[];

beforeEach(async () => {
  redis = await RedisServer.start();
  path = new Path(redis.port);
  await path.open();
  const recorded = recordedLog();
  lines = recorded.lines;
  const { log } = recorded;
  store = redisStore({ kind: 'single', ports: [path.port], prefix: 'vane', lease: 15_000, log });
  const node = { name: 'a', address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  registry = new Registry({ store, clock: systemClock, log, node });
});

afterEach(async () => {
  await registry.stop(performance.now() + 1_000);
  await path[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

function register(id: string): Promise<void> {
  const { node: _, ...service } = instanceRow('', id, 'web');
  return registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
}

function messages(): readonly string[] {
  return lines.map(({ message }) => message).filter((message) => message.startsWith('registry in Redis'));
}

async function isInRedis(id: string): Promise<void> {
  await eventually(async () => {
    const log = await redis.ask((client) => client.xrange('{vane}:log', '-', '+'));
    expect(JSON.stringify(log)).toContain(`\\"${id}\\"`);
  }, WITHIN_MS);
}

needs('redis-server', 'redis-server').describe('a registry whose Redis is away', () => {
  beforeEach(async () => {
    await registry.start();
  });

  for (const [what, cut] of [
    [
      'connections that are cut',
      () => redis.ask((client) => client.call('CLIENT', 'KILL', 'TYPE', 'normal')),
    ],
    ['connections that nothing comes through any more', async () => path.forget()],
  ] as const) {
    test(`survives ${what}`, async () => {
      await cut();
      await register('a-1');
      expect(registry.catalog.instance('a', 'a-1')).toBeDefined();
      await isInRedis('a-1');
      await eventually(() => expect(store.trouble).toBeUndefined(), WITHIN_MS);
      await register('a-2');
      await isInRedis('a-2');
    });
  }

  test('does not bring back what arrives late over a connection that was given up', async () => {
    path.forget();
    await register('a-1');
    await registry.deregisterService('a-1', CAUSE);
    await register('a-2');
    await eventually(() => expect(store.trouble).toBeUndefined(), WITHIN_MS);
    await isInRedis('a-2');
    path.recall();
    // Both connections of the node that there are, each with two ends.
    await eventually(() => expect(path.size).toBe(4), WITHIN_MS);
    await register('a-3');
    expect(registry.catalog.instance('a', 'a-1')).toBeUndefined();
    expect(registry.catalog.instance('a', 'a-3')).toBeDefined();
  });

  test('survives a server that is gone, and says so to operators', async () => {
    await redis.kill();
    await eventually(() => expect(registry.storing.works).toBe(false), WITHIN_MS);
    await register('a-1');
    expect(registry.cluster?.view).toMatchObject({ unsent: 1 });
    expect(registry.cluster?.view.behindMs).toBeGreaterThan(0);
    await expect(
      registry.kv.write(
        { verb: 'set', key: 'k', value: Buffer.from('v'), flags: '0', index: 0, session: '' },
        CAUSE,
      ),
    ).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await redis.start();
    await eventually(() => expect(registry.storing.works).toBe(true), WITHIN_MS);
    await isInRedis('a-1');
    expect(registry.cluster?.view).toMatchObject({ unsent: 0, behindMs: 0 });
    expect(messages()).toEqual([
      'registry in Redis cannot be reached: traffic goes on with what is known, own services and checks are kept until it is back, other changes are refused',
      'registry in Redis is reached again, and nothing is missing',
    ]);
  });

  test('puts back what was registered while it was away, where a new master never got it', async () => {
    const before = registry.catalog.index;
    redis.signal('SIGSTOP');
    await eventually(() => expect(store.trouble).toBeDefined(), WITHIN_MS);
    await register('a-1');
    redis.signal('SIGCONT');
    await eventually(() => expect(store.trouble).toBeUndefined(), WITHIN_MS);
    await isInRedis('a-1');
    const seen = registry.catalog.index;
    await loseAfter(before);
    await isInRedis('a-1');
    // Its index is a fence, later than any that the former master gave out.
    await eventually(() => {
      expect(registry.catalog.instance('a', 'a-1')?.modifyIndex).toBeGreaterThan(seen);
    }, WITHIN_MS);
  });

  test('does not put back a lock that had come too late', async () => {
    const [first, late] = [
      await registry.sessions.create(sessionRequest('a'), CAUSE),
      await registry.sessions.create(sessionRequest('a'), CAUSE),
    ];
    const free = { of: 'kv', key: 'k', modifyIndex: 0 } as const;
    await store.commit([putKv('k', '', { session: first })], CAUSE, 0, [free]);
    const before = registry.catalog.index;
    // As it is where another node has it first: this one is told so.
    await store.commit([putKv('k', '', { session: late })], CAUSE, 0, [free]);
    await register('a-1');
    await loseAfter(before);
    await isInRedis('a-1');
    await eventually(() => expect(registry.catalog.instance('a', 'a-1')).toBeDefined(), WITHIN_MS);
    expect(registry.catalog.kv.entry('k').value?.session).toBe(first);
  });
});

/** As a replica has it that takes over before the last commits have reached it. */
async function loseAfter(index: number): Promise<void> {
  const lost = await idsAfter(index);
  await redis.ask(async (client) => {
    await client.call('XDEL', '{vane}:log', ...lost);
    await client.call('XSETID', '{vane}:log', `${index}-0`);
    await client.set('{vane}:index', index);
    await client.set('{vane}:line', 'another');
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal');
  });
}

async function idsAfter(index: number): Promise<readonly string[]> {
  const entries = await redis.ask((client) => client.xrange('{vane}:log', `(${index}-0`, '+'));
  return entries.map(([id]) => id);
}
