import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { RedisStore } from '../../src/registry/stores/redis/redis-store.ts';
import { eventually } from '../helpers/eventually.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer, redisStore } from '../helpers/redis-server.ts';
import { type LogLine, recordedLog } from '../helpers/registry.ts';
import { CAUSE, instanceRow } from '../helpers/registry-rows.ts';

interface Node {
  readonly registry: Registry;
  readonly store: RedisStore;
  readonly lines: readonly LogLine[];
}

/** Short, so that what happens when one lapses is seen soon. */
const LEASE_MS = 1_500;
/** Every wait is for far longer than what is waited for takes. */
const WITHIN_MS = 15_000;

let redis: RedisServer;
const nodes: Node[] = [];
const crashed: Node[] = [];

const withRedis = needs('redis-server', 'redis-server');

beforeEach(async () => {
  redis = await RedisServer.start();
});

afterEach(async () => {
  for (const { registry } of [...nodes.splice(0), ...crashed.splice(0)])
    await registry.stop(performance.now() + 1_000);
  await redis[Symbol.asyncDispose]();
});

const ELSEWHERE = { pid: 1, host: 'elsewhere', machine: 'another' };

function made(name: string, lease = LEASE_MS, process?: typeof ELSEWHERE, outboxFile?: string): Node {
  const store = redisStore({
    kind: 'single',
    ports: [redis.port],
    prefix: 'vane',
    lease,
    process,
    outboxFile,
  });
  const { log, lines } = recordedLog();
  const node = { name, address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  const registry = new Registry({ store, clock: systemClock, log, node });
  return { registry, store, lines };
}

async function enter(
  name: string,
  lease = LEASE_MS,
  process?: typeof ELSEWHERE,
  outboxFile?: string,
): Promise<Node> {
  const node = made(name, lease, process, outboxFile);
  await node.registry.start();
  nodes.push(node);
  return node;
}

function register({ registry }: Node, id: string): Promise<void> {
  const { node: _, ...service } = instanceRow('', id, 'web');
  return registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
}

function health({ registry }: Node, of: string): string | undefined {
  return registry.catalog.check(of, 'serfHealth')?.status;
}

function leaders(): readonly (string | undefined)[] {
  return nodes.map(({ registry }) => registry.cluster?.view.leader);
}

/** As far as Redis and the others can see, its process is gone. */
async function crash(node: Node): Promise<void> {
  nodes.splice(nodes.indexOf(node), 1);
  crashed.push(node);
  await node.store.close();
}

async function session(node: Node, on: string, ttlMs: number): Promise<string> {
  const request = {
    ...{ name: '', node: on, lockDelay: 0, behavior: 'release' as const, ttl: `${ttlMs}ms`, ttlMs },
    ...{ checks: null, nodeChecks: [], serviceChecks: null },
  };
  return node.registry.sessions.create(request, CAUSE);
}

withRedis.describe('nodes that share a registry', () => {
  test('one of them leads, all know which, and when it stops another does', async () => {
    const [a, b] = [await enter('a'), await enter('b')];
    await eventually(() => expect(leaders()).toEqual(['a', 'a']), WITHIN_MS);
    nodes.splice(nodes.indexOf(a), 1);
    await a.registry.stop(performance.now() + 1_000);
    await eventually(() => expect(b.registry.cluster?.view.leader).toBe('b'), WITHIN_MS);
  });

  test('a node that renews no more is critical for all, the leader as well as any other', async () => {
    const [a, b, c] = [await enter('a'), await enter('b'), await enter('c')];
    await register(c, 'c-1');
    await eventually(() => expect(leaders()).toEqual(['a', 'a', 'a']), WITHIN_MS);
    await crash(c);
    await eventually(
      () => expect([health(a, 'c'), health(b, 'c')]).toEqual(['critical', 'critical']),
      WITHIN_MS,
    );
    expect(a.lines.some(({ message }) => message.startsWith('node has not renewed its lease'))).toBe(true);
    await crash(a);
    await eventually(() => expect(health(b, 'a')).toBe('critical'), WITHIN_MS);
    expect(health(b, 'b')).toBe('passing');
  });

  test('a node that was taken for dead and is not says so, and is passing for all', async () => {
    const [a, b] = [await enter('a'), await enter('b')];
    await eventually(() => expect(leaders()).toEqual(['a', 'a']), WITHIN_MS);
    const check = b.registry.catalog.check('b', 'serfHealth');
    if (!check) throw new Error('b has no serfHealth');
    await a.store.commit([{ op: 'put-check', check: { ...check, status: 'critical' }, update: true }], CAUSE);
    const taken = () => b.lines.filter(({ message }) => message.startsWith('this node was taken for dead'));
    await eventually(() => expect(taken()).toHaveLength(1), WITHIN_MS);
    await eventually(() => expect(health(a, 'b')).toBe('passing'), WITHIN_MS);
  });

  test('a second live node of one name does not start, and the first goes on', async () => {
    const first = await enter('a', LEASE_MS, ELSEWHERE);
    const second = made('A');
    await expect(second.registry.start()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^a node by the name A runs already \(process 1 on elsewhere, since 20/),
    });
    await register(first, 'a-1');
    expect(health(first, 'a')).toBe('passing');
  });

  test('a node does not wait for the lease of a process of this machine that has ended', async () => {
    const a = await enter('a', 600_000);
    await register(a, 'a-1');
    await crash(a);
    const again = await enter('a', 600_000);
    expect(again.registry.cluster?.view.lease).toBe('held');
    expect(again.registry.catalog.instance('a', 'a-1')).toBeDefined();
  });

  test('a node waits for a lease that an ended process of another machine has left', async () => {
    await crash(await enter('a', LEASE_MS, ELSEWHERE));
    const again = await enter('a');
    expect(again.registry.cluster?.view.lease).toBe('held');
    expect(again.lines.some(({ message }) => message.startsWith('waiting: the lease'))).toBe(true);
  });

  test('a node whose name another one has taken meanwhile says so and gives way', async () => {
    const first = await enter('a', LEASE_MS, ELSEWHERE);
    await redis.ask((client) => client.hset('{vane}:members', 'a', JSON.stringify({ holder: '' })));
    await enter('a', LEASE_MS, { ...ELSEWHERE, pid: 2 });
    await eventually(() => expect(first.registry.cluster?.view.lease).toBe('lost'), WITHIN_MS);
    expect(first.lines.some(({ message }) => message.startsWith('another process has taken'))).toBe(true);
  });

  test('a node that stops gives its name free at once and keeps its instances for as long as its lease', async () => {
    const [a, b] = [await enter('a'), await enter('b')];
    await register(b, 'b-1');
    nodes.splice(nodes.indexOf(b), 1);
    await b.registry.stop(performance.now() + 1_000);
    expect(health(a, 'b')).toBe('passing');
    const again = await enter('b');
    expect(again.registry.catalog.instance('b', 'b-1')).toBeDefined();
    expect(health(a, 'b')).toBe('passing');
  });

  test('a node that leaves takes along what was registered there', async () => {
    const [a, b] = [await enter('a'), await enter('b')];
    await register(b, 'b-1');
    await eventually(() => expect(a.registry.catalog.instance('b', 'b-1')).toBeDefined(), WITHIN_MS);
    nodes.splice(nodes.indexOf(b), 1);
    b.registry.leaveOnStop();
    await b.registry.stop(performance.now() + 1_000);
    await eventually(() => expect(a.registry.catalog.node('b').value).toBeUndefined(), WITHIN_MS);
    expect((await a.registry.cluster?.status())?.members.map(({ node }) => node)).toEqual(['a']);
  });

  test('after Redis was away for longer than a lease nobody is taken for dead who is there', async () => {
    const [a, b] = [await enter('a'), await enter('b')];
    await eventually(() => expect(leaders()).toEqual(['a', 'a']), WITHIN_MS);
    redis.signal('SIGSTOP');
    // From the moment that it noticed on it is away for as long again.
    await eventually(() => {
      for (const { registry, store } of [a, b]) {
        expect(store.trouble).toBeDefined();
        expect(registry.cluster?.view.lease).toBe('lapsed');
      }
    }, WITHIN_MS);
    redis.signal('SIGCONT');
    await eventually(() => {
      for (const { registry, store } of [a, b]) {
        expect(store.trouble).toBeUndefined();
        expect(registry.cluster?.view.lease).toBe('held');
      }
    }, WITHIN_MS);
    // Had it been done, it would stand in the log.
    const dead = [a, b].flatMap(({ lines }) =>
      lines.filter(({ message }) => message.startsWith('node has not renewed')),
    );
    expect(dead).toEqual([]);
  });

  test('what was registered while Redis was away outlasts the process, with a folder for it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vane-outbox-'));
    const outboxFile = join(folder, 'outbox');
    try {
      const [a, b] = [await enter('a', LEASE_MS, undefined, outboxFile), await enter('b')];
      await register(a, 'a-1');
      await eventually(() => expect(b.registry.catalog.instance('a', 'a-1')).toBeDefined(), WITHIN_MS);
      redis.signal('SIGSTOP');
      await eventually(() => expect(a.store.trouble).toBeDefined(), WITHIN_MS);
      await register(a, 'a-2');
      await a.registry.deregisterService('a-1', CAUSE);
      await crash(a);
      const alone = made('a', LEASE_MS, undefined, outboxFile);
      nodes.push(alone);
      const started = alone.registry.start();
      redis.signal('SIGCONT');
      await started;
      await eventually(() => {
        expect(b.registry.catalog.instance('a', 'a-2')).toBeDefined();
        expect(b.registry.catalog.instance('a', 'a-1')).toBeUndefined();
        expect(alone.registry.catalog.instance('a', 'a-2')).toBeDefined();
      }, WITHIN_MS);
      await eventually(() => expect(readFileSync(outboxFile, 'utf8')).toBe(''), WITHIN_MS);
    } finally {
      redis.signal('SIGCONT');
      for (const { registry } of nodes.splice(0)) await registry.stop(performance.now() + 1_000);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('a session ends for all when nobody renews it, and not while any node is asked to', async () => {
    const [a, b] = [await enter('a'), await enter('b')];
    await eventually(() => expect(leaders()).toEqual(['a', 'a']), WITHIN_MS);
    const [kept, late] = [await session(a, 'a', 1_000), await session(b, 'b', 1_000)];
    await eventually(() => expect(b.registry.catalog.sessions.get(kept).value).toBeDefined(), WITHIN_MS);
    await eventually(async () => {
      expect(await b.registry.sessions.renew(kept)).toBeDefined();
      expect(a.registry.catalog.sessions.get(late).value).toBeUndefined();
      expect(b.registry.catalog.sessions.get(late).value).toBeUndefined();
    }, WITHIN_MS);
    expect(a.registry.catalog.sessions.get(kept).value).toBeDefined();
    await eventually(() => expect(b.registry.catalog.sessions.get(kept).value).toBeUndefined(), WITHIN_MS);
    expect(await b.registry.sessions.renew(kept)).toBeUndefined();
  });

  test('a former leader that does not know it yet ends no session and takes nobody for dead', async () => {
    const [a, b] = [await enter('a', 60_000), await enter('b', 60_000)];
    const due = await session(a, 'a', 86_400_000);
    const { coordination } = a.store;
    const standing = await coordination.beat({ node: 'a', address: '' });
    const token = standing.kind === 'held' ? standing.token : undefined;
    if (token === undefined) throw new Error('a does not lead');
    await redis.ask(async (client) => {
      await client.zadd('{vane}:sessions', 1, due);
      await client.zadd('{vane}:leases', 1, 'b');
      await client.hset('{vane}:cluster', 'holder', 'another', 'token', Number(token) + 1);
    });
    const end = { kind: 'due', session: due } as const;
    expect(await coordination.commitIf(token, end, [{ op: 'delete-session', id: due }], CAUSE)).toBe(false);
    const lapsed = { kind: 'lapsed', node: 'b', ms: 0 } as const;
    expect(await coordination.commitIf(token, lapsed, [{ op: 'delete-node', node: 'b' }], CAUSE)).toBe(false);
    await register(b, 'b-1');
    await eventually(() => expect(a.registry.catalog.instance('b', 'b-1')).toBeDefined(), WITHIN_MS);
    expect(a.registry.catalog.sessions.get(due).value).toBeDefined();
  });
});
