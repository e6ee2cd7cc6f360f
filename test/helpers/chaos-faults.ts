import { setTimeout as sleep } from 'node:timers/promises';
import type { CuttableLink } from './cuttable-link.ts';
import { type ClusterNode, healed } from './drill-cluster.ts';
import { eventually } from './eventually.ts';
import type { RedisGroup } from './redis-groups.ts';
import type { RedisServer } from './redis-server.ts';

/** Something that goes wrong and is then over. */
export interface Fault {
  readonly what: string;
  /** Undefined: it befalls Redis. */
  readonly victim: ClusterNode | undefined;
  /** Resolves when it is over. */
  readonly happen: () => Promise<void>;
}

/** What may go wrong, and how faults are drawn. */
export interface Faults {
  /** One, or two that overlap. */
  draw(random: () => number): readonly Fault[];
}

const WITHIN_MS = 60_000;

interface Place {
  readonly node: ClusterNode;
  readonly link: CuttableLink;
}

/** Nodes, each with a way of its own to one Redis. */
export function ofOneRedis(places: readonly Place[], redis: RedisServer): Faults {
  const nodes = places.map(({ node }) => node);
  return {
    draw(random) {
      const ms = () => 500 + random() * 4_000;
      const [away, gone] = [ms(), ms() / 2];
      const [one, other] = twoOf(places, random);
      const cut = ({ node, link }: Place, length: number): Fault => ({
        what: `${node.name} cut off`,
        victim: node,
        async happen() {
          link.cut();
          await sleep(length);
          link.mend();
        },
      });
      const stopped: Fault = {
        what: 'redis stopped',
        victim: undefined,
        happen: () => stopFor(redis, away),
      };
      const emptied: Fault = {
        what: 'redis restarted empty',
        victim: undefined,
        async happen() {
          await redis.kill();
          await sleep(gone);
          await redis.start();
        },
      };
      // A node that is killed while Redis loses everything comes back after the others: what is deregistered there before
      // they are heard, and is not known there, is not deregistered.
      const others = () =>
        healed(
          nodes.filter((node) => node !== one.node),
          WITHIN_MS,
        );
      return drawn(random, [
        [killed(one.node, ms())],
        [stoppedNode(one.node, ms())],
        [cut(one, ms() * 2)],
        [stopped],
        [emptied],
        [killed(one.node, ms()), stoppedNode(other.node, ms())],
        [killed(one.node, ms()), cut(other, ms() * 2)],
        [killed(one.node, ms()), stopped],
        [emptied, killed(one.node, ms(), others)],
        [emptied, stoppedNode(one.node, ms() * 2)],
        [emptied, cut(one, ms() * 2)],
        [stopped, cut(one, ms() * 2)],
        [cut(one, ms() * 2), stoppedNode(other.node, ms())],
        [cut(one, ms() * 2), cut(other, ms() * 2)],
      ]);
    },
  };
}

/** Nodes that find their Redis by way of Sentinels. */
export function ofSentinels(nodes: readonly ClusterNode[], group: RedisGroup): Faults {
  return {
    draw(random) {
      const ms = () => 500 + random() * 4_000;
      const [one, other] = twoOf(nodes, random);
      const failover = (what: string, isLossy: boolean): Fault => ({
        what,
        victim: undefined,
        happen: () => failOver(group, isLossy),
      });
      const hung: Fault = { what: 'master hangs', victim: undefined, happen: () => hangMaster(group) };
      const dies = failover('master dies', false);
      const lossy = failover('master dies ahead of its replica', true);
      return drawn(random, [
        [dies],
        [lossy],
        [hung],
        [killed(one, ms())],
        [dies, stoppedNode(one, ms() * 2)],
        [lossy, stoppedNode(one, ms() * 2)],
        [hung, stoppedNode(one, ms())],
        [killed(one, ms()), stoppedNode(other, ms())],
      ]);
    },
  };
}

function drawn(random: () => number, all: readonly (readonly Fault[])[]): readonly Fault[] {
  return all[Math.floor(random() * all.length)] ?? [];
}

function twoOf<T>(all: readonly T[], random: () => number): readonly [T, T] {
  const at = Math.floor(random() * all.length);
  const further = 1 + Math.floor(random() * (all.length - 1));
  const [one, other] = [all[at], all[(at + further) % all.length]];
  if (one === undefined || other === undefined) throw new Error('there are too few');
  return [one, other];
}

function killed(node: ClusterNode, ms: number, before: () => Promise<void> = async () => {}): Fault {
  return {
    what: `${node.name} killed`,
    victim: node,
    async happen() {
      await node.kill();
      await sleep(ms);
      await before();
      await node.start();
    },
  };
}

function stoppedNode(node: ClusterNode, ms: number): Fault {
  return { what: `${node.name} stopped`, victim: node, happen: () => stopFor(node, ms) };
}

async function stopFor(process: { signal(name: NodeJS.Signals): void }, ms: number): Promise<void> {
  process.signal('SIGSTOP');
  await sleep(ms);
  process.signal('SIGCONT');
}

/** The master is gone for good, and comes back as a replica of the one that takes over. */
async function failOver(group: RedisGroup, isLossy: boolean): Promise<void> {
  const master = await group.master();
  const replica = await group.replicaOf(master);
  if (isLossy) {
    replica.signal('SIGSTOP');
    await master.ask((redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'replica'));
    await sleep(200);
  }
  await master.kill();
  replica.signal('SIGCONT');
  const next = await otherMaster(group, master);
  await master.start('--replicaof', '127.0.0.1', String(next.port));
  await inStep(group, next);
}

/** It is taken for dead, and finds out that it is not the master any more. */
async function hangMaster(group: RedisGroup): Promise<void> {
  const master = await group.master();
  const replica = await group.replicaOf(master);
  master.signal('SIGSTOP');
  try {
    await eventually(async () => {
      const role = await replica.ask((redis) => redis.call('ROLE'));
      if (!Array.isArray(role) || role[0] !== 'master') throw new Error('not the master yet');
    }, WITHIN_MS);
  } finally {
    master.signal('SIGCONT');
  }
  await inStep(group, replica);
}

function otherMaster(group: RedisGroup, former: RedisServer): Promise<RedisServer> {
  return eventually(async () => {
    const master = await group.master();
    if (master === former) throw new Error('none has taken over yet');
    return master;
  }, WITHIN_MS);
}

/** The other server has all that the master has. */
function inStep(group: RedisGroup, master: RedisServer): Promise<void> {
  return eventually(async () => {
    const replica = await group.replicaOf(master);
    const role = await replica.ask((redis) => redis.call('ROLE'));
    if (!Array.isArray(role) || role[3] !== 'connected') throw new Error('no replica yet');
  }, WITHIN_MS);
}
