import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, expect } from 'vitest';
import { rssOf } from '../../helpers/drill-churn.ts';
import { atPort, ClusterNode, healed } from '../../helpers/drill-cluster.ts';
import { drillCount, drillSeconds, figure, percentile } from '../../helpers/drill-figures.ts';
import { type Instances, monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { ask } from '../../helpers/drill-load.ts';
import { answeredBy } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';
import { needs } from '../../helpers/needs.ts';
import { startProgram } from '../../helpers/program.ts';
import { RedisServer } from '../../helpers/redis-server.ts';
import { ROOT } from '../../helpers/source-tree.ts';

const NODES = drillCount(3, 5);
const INSTANCES = drillCount(1_000, 20_000);
const SECONDS = drillSeconds(20);
const CHANGES_PER_SECOND = drillCount(100, 500);
const WITHIN_MS = 60_000;
const ROUTED_P99_MS = 50;
const IDLE_COMMANDS = 50;
const IDLE_SECONDS = drillCount(4, 10);
const STEADY = ['web-1', 'web-2', 'web-3'];

let redis: RedisServer | undefined;
let instances: Instances | undefined;
const nodes: ClusterNode[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node[Symbol.asyncDispose]()));
  await redis?.[Symbol.asyncDispose]();
  await instances?.[Symbol.asyncDispose]();
});

/** What is always there is registered at the first. */
async function startAll(
  lease: string,
): Promise<{ redis: RedisServer; first: ClusterNode; instances: Instances }> {
  redis = await RedisServer.start();
  instances = await startInstances(...STEADY, 'probe');
  for (let i = 1; i <= NODES; i++) nodes.push(await ClusterNode.start(`lb-${i}`, atPort(redis.port), lease));
  const [first] = nodes;
  if (!first) throw new Error('there is no node');
  for (const name of STEADY) await first.registry.register(name, instances.addresses.get(name) ?? '');
  for (const { port } of nodes) await answeredBy(port, STEADY);
  return { redis, first, instances };
}

const withRedis = needs('redis-server', 'redis-server');

withRedis.test(
  'what is registered at one node is routed by another, and idle nodes cost next to nothing',
  async () => {
    const { redis, first, instances } = await startAll('15s');
    const other = nodes.at(-1) ?? first;
    const churning = new AbortController();
    const noise = churn(churning.signal);
    const address = instances.addresses.get('probe') ?? '';
    const delays: number[] = [];
    const until = monotonic() + (SECONDS * 1_000) / 2;
    while (monotonic() < until) {
      const { ackAt } = await first.registry.register('probe-1', address, { Name: 'probe' });
      await until200(other.probePort);
      delays.push(Math.max(0, monotonic() - ackAt));
      await first.registry.deregister('probe-1');
      await eventually(async () => expect((await ask(other.probePort, '/fast')).status).toBe(503), WITHIN_MS);
    }
    churning.abort();
    const changes = await noise;
    await sleep(1_000);
    const before = await commandsOf(redis);
    await sleep(IDLE_SECONDS * 1_000);
    const idle = ((await commandsOf(redis)) - before) / IDLE_SECONDS;
    figure('cluster', 'changes a second meanwhile', changes);
    figure('cluster', 'from acknowledged here to routed there, median, ms', percentile(delays, 50));
    figure(
      'cluster',
      'from acknowledged here to routed there, p99, ms',
      percentile(delays, 99),
      `${ROUTED_P99_MS}`,
    );
    figure('cluster', `Redis commands a second of ${NODES} idle nodes`, idle, `${IDLE_COMMANDS}`);
    expect(delays.length).toBeGreaterThan(10);
    // Loosely: other programs share the machine. The figures are what is to be looked at.
    expect(percentile(delays, 50)).toBeLessThan(1_000);
    expect(idle).toBeLessThanOrEqual(IDLE_COMMANDS);
  },
  WITHIN_MS * 3 + SECONDS * 2_000,
);

withRedis.test(
  'a node that dies is critical for all within its lease and a second',
  async () => {
    const { first } = await startAll('3s');
    const delays: number[] = [];
    for (let round = 0; round < Math.max(1, SECONDS / 20); round++) {
      // The one that leads, and one that does not.
      for (const victim of [await leader(first), nodes.at(-1) ?? first]) {
        const others = nodes.filter((node) => node !== victim);
        const since = monotonic();
        await victim.kill();
        const seen = others.map(async (node) => {
          await eventually(async () => expect(await statusAt(node, victim.name)).toBe('critical'), WITHIN_MS);
          return monotonic() - since;
        });
        delays.push(Math.max(...(await Promise.all(seen))));
        await victim.start();
        await healed(nodes, WITHIN_MS);
        for (const node of nodes) {
          await eventually(async () => expect(await statusAt(node, victim.name)).toBe('passing'), WITHIN_MS);
        }
      }
    }
    figure('cluster', 'from killed to critical at all others, lease 3 s, median, ms', percentile(delays, 50));
    figure(
      'cluster',
      'from killed to critical at all others, lease 3 s, longest, ms',
      Math.max(...delays),
      '4000',
    );
  },
  WITHIN_MS * 3 + SECONDS * 2_000,
);

withRedis.test(
  'a registry of many instances is loaded at once and takes little memory',
  async () => {
    const { redis, first } = await startAll('15s');
    await Promise.all(
      Array.from({ length: 16 }, async (_, worker) => {
        for (let n = worker; n < INSTANCES; n += 16) {
          const address = `127.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}:80`;
          await first.registry.register(`many-${n}`, address, { Name: `many-${n % 500}` });
        }
      }),
    );
    for (const node of nodes) {
      await eventually(async () => {
        const services = (await node.ask('/v1/catalog/services')) as object;
        expect(Object.keys(services).length).toBeGreaterThan(400);
      }, WITHIN_MS);
    }
    const store = redis.store('vane');
    const since = monotonic();
    const { services } = await store.load();
    const took = monotonic() - since;
    await store.close();
    await sleep(2_000);
    const before = await commandsOf(redis);
    await sleep(IDLE_SECONDS * 1_000);
    const idle = ((await commandsOf(redis)) - before) / IDLE_SECONDS;
    const [most = 0, ...others] = nodes.map(({ pid }) => rssOf(pid));
    const memory = await redis.ask((client) => client.info('memory'));
    figure('cluster', 'instances', services.length);
    figure('cluster', 'time to load them, ms', took, '1000');
    figure('cluster', 'resident memory of the node they were registered at, MB', most);
    figure('cluster', 'resident memory of any other, MB', Math.max(...others), '250');
    const last = nodes.at(-1) ?? first;
    await last.kill();
    await last.start();
    await eventually(async () => {
      expect(Object.keys((await last.ask('/v1/catalog/services')) as object).length).toBeGreaterThan(400);
    }, WITHIN_MS);
    figure('cluster', 'resident memory of one that has just started, MB', rssOf(last.pid), '250');
    figure('cluster', 'memory of Redis, MB', Number(/used_memory:(\d+)/.exec(memory)?.[1]) / 2 ** 20);
    figure(
      'cluster',
      `Redis commands a second of ${NODES} idle nodes with all of them`,
      idle,
      `${IDLE_COMMANDS}`,
    );
    expect(services.length).toBeGreaterThanOrEqual(INSTANCES);
    expect(idle).toBeLessThanOrEqual(IDLE_COMMANDS);
  },
  WITHIN_MS * 3,
);

withRedis.test(
  'a second process of one name does not start, and members and status are told by the command line',
  async () => {
    const { first } = await startAll('3s');
    const vane = ['src/bin/vane.mjs'];
    const run = promisify(execFile);
    const members = await run(process.execPath, [...vane, 'members', '-f', first.file], { cwd: ROOT });
    expect(members.stdout).toMatch(/^lb-1 +\S+ +alive/m);
    expect(members.stdout).toMatch(/^lb-3 +\S+ +alive/m);
    const asked = [...vane, 'cluster', 'status', '--json', '-f', first.file];
    const status = JSON.parse((await run(process.execPath, asked, { cwd: ROOT })).stdout);
    expect(status).toMatchObject({ self: 'lb-1', lease: 'held', unsent: 0 });
    expect(status.members).toHaveLength(NODES);
    expect(await first.ask('/v1/agent/members')).toHaveLength(NODES);
    await using second = startProgram(process.execPath, [...vane, 'run', '-f', first.file]);
    expect(await second.ended).toBe(1);
  },
  WITHIN_MS * 2,
);

async function until200(port: number): Promise<void> {
  await eventually(async () => expect((await ask(port, '/fast')).status).toBe(200), WITHIN_MS);
}

/** Registers and deregisters at all nodes; resolves to how many changes a second that were. */
async function churn(signal: AbortSignal): Promise<number> {
  const since = monotonic();
  let changes = 0;
  const workers = Array.from({ length: NODES * 4 }, async (_, i) => {
    const node = nodes[i % NODES];
    for (let n = 0; node && !signal.aborted; n++) {
      await node.registry.register(`noise-${i}-${n % 10}`, '127.0.0.9:1', {
        Name: 'noise',
        Tags: [String(n)],
      });
      changes++;
      const due = since + (changes * 1_000) / CHANGES_PER_SECOND;
      await sleep(Math.max(0, due - monotonic()));
    }
  });
  await Promise.all(workers);
  return (changes * 1_000) / (monotonic() - since);
}

async function leader(asked: ClusterNode): Promise<ClusterNode> {
  return eventually(async () => {
    const answer = await fetch(`http://${asked.stats}/cluster`);
    const { leader } = (await answer.json()) as { leader?: string };
    const found = nodes.find(({ name }) => name === leader);
    if (!found) throw new Error('nobody leads');
    return found;
  }, WITHIN_MS);
}

/** `serfHealth` of a node, as another one has it. */
async function statusAt(node: ClusterNode, of: string): Promise<string | undefined> {
  const checks = (await node.ask(`/v1/health/node/${of}`)) as readonly { CheckID: string; Status: string }[];
  return checks.find(({ CheckID }) => CheckID === 'serfHealth')?.Status;
}

async function commandsOf(redis: RedisServer): Promise<number> {
  const info = await redis.ask((client) => client.info('stats'));
  return Number(/total_commands_processed:(\d+)/.exec(info)?.[1]);
}
