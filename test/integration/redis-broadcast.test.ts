import { expect, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { RedisBroadcast } from '../../src/registry/stores/redis/broadcast.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { type RedisGroup, startCluster, startSentinels } from '../helpers/redis-groups.ts';
import { RedisServer } from '../helpers/redis-server.ts';

const KEY = '{vane}:tables';

function broadcastAt(kind: 'single' | 'sentinel' | 'cluster', ports: readonly number[]) {
  const broadcast = new RedisBroadcast({
    address: {
      kind,
      hosts: ports.map((port) => ({ host: '127.0.0.1', port })),
      master: 'mymaster',
      ...{ sentinelPassword: undefined, username: undefined, password: undefined, tls: undefined },
      database: 0,
    },
    key: KEY,
    clock: systemClock,
    log: silentLog,
    random: Math.random,
  });
  const bodies: string[] = [];
  const connected: string[] = [];
  broadcast.heard.on(({ body }) => bodies.push(body));
  broadcast.connected.on((how) => connected.push(how));
  broadcast.start();
  onTestFinished(() => broadcast.close());
  return { broadcast, bodies, connected };
}

async function up(...all: readonly ReturnType<typeof broadcastAt>[]): Promise<void> {
  await eventually(() => expect(all.every(({ broadcast }) => broadcast.isConnected)).toBe(true), 40_000);
}

const withRedis = needs('redis-server', 'redis-server');

withRedis.test('all others hear what one says, once and in order, and Redis keeps little of it', async () => {
  await using redis = await RedisServer.start();
  const [a, b, c] = [1, 2, 3].map(() => broadcastAt('single', [redis.port]));
  if (!a || !b || !c) throw new Error('there are three');
  await up(a, b, c);
  const said = Array.from({ length: 400 }, (_, i) => String(i));
  for (const text of said) expect(await a.broadcast.send('text', text)).toBe(true);
  for (const { bodies } of [b, c]) await eventually(() => expect(bodies).toEqual(said));
  expect(a.bodies).toEqual([]);
  expect(await redis.ask((client) => client.xlen(KEY))).toBe(256);
  // Redis is on this machine: both clocks are one.
  expect(Math.abs(a.broadcast.clockOffset ?? Number.NaN)).toBeLessThan(1_000);
  const claims = await Promise.all([a, b, c].map(({ broadcast }) => broadcast.claim('what', 60_000)));
  expect(claims.filter(Boolean)).toHaveLength(1);

  // More than can be on its way at once is dropped, and nothing waits.
  const burst = await Promise.all(said.map((text) => a.broadcast.send('text', text)));
  expect(burst.filter(Boolean)).toHaveLength(256);
});

withRedis.test(
  'a Redis that is away costs nothing but messages, also when it is empty afterwards',
  async () => {
    await using redis = await RedisServer.start();
    const [a, b] = [broadcastAt('single', [redis.port]), broadcastAt('single', [redis.port])];
    await up(a, b);
    await a.broadcast.send('text', 'before');
    await eventually(() => expect(b.bodies).toEqual(['before']));
    await redis.kill();
    await eventually(() => expect(a.broadcast.isConnected || b.broadcast.isConnected).toBe(false), 15_000);
    expect(await a.broadcast.send('text', 'lost')).toBe(false);
    expect(await a.broadcast.claim('what', 1_000)).toBe(false);
    await redis.start();
    await up(a, b);
    expect(b.connected).toEqual(['first', 'again']);
    await a.broadcast.send('text', 'after');
    await eventually(() => expect(b.bodies).toEqual(['before', 'after']));
  },
);

/** Another master takes over: who speaks and who hears find it. */
async function failOver(kind: 'sentinel' | 'cluster', group: RedisGroup): Promise<void> {
  onTestFinished(() => group[Symbol.asyncDispose]());
  const [a, b] = [broadcastAt(kind, group.ports), broadcastAt(kind, group.ports)];
  await up(a, b);
  await a.broadcast.send('text', 'before');
  await eventually(() => expect(b.bodies).toEqual(['before']));
  await (await group.master()).kill();
  await eventually(async () => {
    await a.broadcast.send('text', 'after');
    expect(b.bodies).toContain('after');
  }, 40_000);
}

needs('redis-sentinel', 'redis-sentinel').test(
  'nodes find the master that Sentinels have chosen',
  async () => failOver('sentinel', await startSentinels()),
  90_000,
);

withRedis.test(
  'nodes find the next master of a cluster',
  async () => failOver('cluster', await startCluster(KEY)),
  90_000,
);
