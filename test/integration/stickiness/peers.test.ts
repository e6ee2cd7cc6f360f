import { expect, onTestFinished } from 'vitest';
import { type ClusterNode, startClusterNode } from '../../helpers/cluster-node.ts';
import { metricOf, metricsAt } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';
import { needs } from '../../helpers/needs.ts';
import { RedisServer } from '../../helpers/redis-server.ts';
import { startWeb } from '../../helpers/web.ts';

const names = ['a', 'b', 'c', 'd'];
const usersOf = (kind: string) => Array.from({ length: 12 }, (_, i) => `${kind}-${i}`);

async function ask(node: ClusterNode, user: string): Promise<string> {
  const headers = { connection: 'close', 'x-user': user };
  return (await fetch(`http://${node.frontend}/`, { headers, signal: AbortSignal.timeout(5_000) })).text();
}

async function homesAt(node: ClusterNode, users: readonly string[]): Promise<readonly string[]> {
  const homes: string[] = [];
  for (const user of users) homes.push(await ask(node, user));
  return homes;
}

/** Entries taken from others, whatever the time. */
async function learned(node: ClusterNode): Promise<number> {
  return metricOf(await metricsAt(node.stats), 'vane_stick_peers_learned_entries_total');
}

needs('redis-server', 'redis-server').test(
  'nodes tell each other what is in their tables, and serve as ever while Redis is away',
  async () => {
    const webs = await Promise.all(names.map((name) => startWeb(name)));
    onTestFinished(async () => {
      for (const web of webs) await web[Symbol.asyncDispose]();
    });
    const servers = webs.map(({ port }) => `"127.0.0.1:${port}"`).join(', ');
    const sections = `backends: { web: { stick-table: type string size 1k expire 10m peers registry, stick: on hdr(x-user), servers: [${servers}] } }`;
    await using redis = await RedisServer.start();
    await using a = await startClusterNode('lb-1', redis.port, sections, 2);
    await using b = await startClusterNode('lb-2', redis.port, sections);
    const connected = (node: ClusterNode, is: number) =>
      eventually(
        async () => expect(metricOf(await metricsAt(node.stats), 'vane_stick_peers_connected')).toBe(is),
        15_000,
      );
    for (const node of [a, b]) await connected(node, 1);

    const first = usersOf('first');
    const atB = await homesAt(b, first);
    expect(new Set(atB).size).toBe(names.length);
    await eventually(async () => expect(await learned(a)).toBeGreaterThanOrEqual(first.length));
    // What its workers answer now, they answer after they have been told.
    await learned(a);
    expect(await homesAt(a, first)).toEqual(atB);

    // Who comes later learns what is there, though another comes with it who knows nothing.
    const [c, d] = await Promise.all(
      ['lb-3', 'lb-4'].map(async (name) => {
        const node = await startClusterNode(name, redis.port, sections);
        onTestFinished(() => node[Symbol.asyncDispose]());
        return node;
      }),
    );
    if (!c || !d) throw new Error('both have started');
    for (const node of [c, d]) {
      await eventually(async () => expect(await learned(node)).toBeGreaterThanOrEqual(first.length), 15_000);
      expect(await homesAt(node, first)).toEqual(atB);
    }

    // Without Redis each goes on by what it knows, and on its return all know what each has done.
    await redis.kill();
    for (const node of [a, b, c]) await connected(node, 0);
    const second = usersOf('second');
    const alone = await homesAt(c, second);
    expect(await homesAt(b, first)).toEqual(atB);
    const before = await learned(b);
    expect(metricOf(await metricsAt(c.stats), 'vane_stick_peers_dropped_entries_total')).toBe(second.length);
    await redis.start();
    await connected(b, 1);
    await eventually(
      async () => expect(await learned(b)).toBeGreaterThanOrEqual(before + first.length + second.length),
      15_000,
    );
    expect(await homesAt(b, second)).toEqual(alone);
    expect(await homesAt(b, first)).toEqual(atB);
  },
  90_000,
);
