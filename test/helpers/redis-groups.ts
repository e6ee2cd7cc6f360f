import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freeAddresses } from './free-port.ts';
import { type Program, startProgram } from './program.ts';
import { RedisServer } from './redis-server.ts';

/** Servers of which one takes the place of another that is gone. */
export interface RedisGroup {
  /** What a client is told of. */
  readonly ports: readonly number[];
  /** All, with those that are replicas. */
  readonly servers: readonly RedisServer[];
  /** The one that takes writes (of a key such as those of the registry in tests). */
  master(): Promise<RedisServer>;
  replicaOf(master: RedisServer): Promise<RedisServer>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How long a server may be silent until the others take it for dead, ms. */
const DOWN_AFTER_MS = 1_000;
const TAKEOVER_MS = 30_000;

/** A master, a replica and three Sentinels. */
export async function startSentinels(): Promise<RedisGroup> {
  const folder = mkdtempSync(join(tmpdir(), 'vane-sentinels-'));
  const first = await RedisServer.start();
  const second = await RedisServer.start('--replicaof', '127.0.0.1', String(first.port));
  const servers = [first, second];
  const ports = (await freeAddresses(3)).map((address) => Number(address.split(':')[1]));
  const programs: Program[] = ports.map((port) => {
    const file = join(folder, `${port}.conf`);
    writeFileSync(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${folder}`,
        `sentinel monitor mymaster 127.0.0.1 ${first.port} 2`,
        `sentinel down-after-milliseconds mymaster ${DOWN_AFTER_MS}`,
        'sentinel failover-timeout mymaster 3000',
      ].join('\n'),
    );
    return startProgram('redis-sentinel', [file]);
  });
  await eventually(async () => {
    const [sentinel] = await roleOf(second);
    if (sentinel !== 'slave' || (await roleOf(second))[3] !== 'connected') throw new Error('no replica yet');
  }, TAKEOVER_MS);
  // Each Sentinel finds the others and the replica by way of the master.
  for (const program of programs) {
    await program.says(/\+slave slave/, TAKEOVER_MS);
    await eventually(() => {
      if ((program.output().match(/\+sentinel sentinel/g) ?? []).length < 2)
        throw new Error('Sentinels are apart');
    }, TAKEOVER_MS);
  }
  return {
    ports,
    servers,
    master: () => masterOf(servers),
    replicaOf: (master) => replicaOf(servers, master),
    async [Symbol.asyncDispose]() {
      for (const program of programs) await program[Symbol.asyncDispose]();
      for (const server of servers) await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Three masters with a third of all keys each, and a replica of each. */
export async function startCluster(key: string): Promise<RedisGroup> {
  // All at once, so that none is given out twice.
  const free = (await freeAddresses(12)).map((address) => address.split(':')[1] ?? '');
  const buses = free.slice(6);
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(DOWN_AFTER_MS)];
  const servers = await Promise.all(
    buses.map((bus, i) => RedisServer.startAt(Number(free[i]), ...settings, '--cluster-port', bus)),
  );
  const [first, ...others] = servers as [RedisServer, ...RedisServer[]];
  for (const [i, { port }] of others.entries()) {
    await first.ask((redis) => redis.call('CLUSTER', 'MEET', '127.0.0.1', port, buses[i + 1] ?? ''));
  }
  const thirds = [0, 5461, 10_923, 16_384];
  for (const [i, server] of servers.slice(0, 3).entries()) {
    await server.ask((redis) =>
      redis.call('CLUSTER', 'ADDSLOTSRANGE', String(thirds[i]), String(Number(thirds[i + 1]) - 1)),
    );
  }
  for (const [i, server] of servers.slice(3).entries()) {
    const id = String(await servers[i]?.ask((redis) => redis.call('CLUSTER', 'MYID')));
    await eventually(() => server.ask((redis) => redis.call('CLUSTER', 'REPLICATE', id)), TAKEOVER_MS);
  }
  for (const server of servers) {
    await eventually(async () => {
      const info = String(await server.ask((redis) => redis.call('CLUSTER', 'INFO')));
      if (!/cluster_state:ok/.test(info)) throw new Error(info);
      const role = await roleOf(server);
      if (servers.indexOf(server) >= 3 && role[3] !== 'connected') throw new Error('no replica yet');
    }, TAKEOVER_MS);
  }
  return {
    ports: servers.map(({ port }) => port),
    servers,
    async master() {
      for (const server of servers) {
        // Only the master of a key answers for it.
        const isIt = await server
          .ask((redis) => redis.set(`${key}:probe`, '1'))
          .then(
            () => true,
            () => false,
          );
        if (isIt) return server;
      }
      throw new Error('no server takes writes');
    },
    replicaOf: (master) => replicaOf(servers, master),
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

async function masterOf(servers: readonly RedisServer[]): Promise<RedisServer> {
  for (const server of servers) {
    const role = await roleOf(server).catch(() => []);
    if (role[0] === 'master') return server;
  }
  throw new Error('there is no master');
}

async function replicaOf(servers: readonly RedisServer[], master: RedisServer): Promise<RedisServer> {
  for (const server of servers) {
    const role = await roleOf(server).catch(() => []);
    if (role[0] === 'slave' && Number(role[2]) === master.port) return server;
  }
  throw new Error('the master has no replica');
}

async function roleOf(server: RedisServer): Promise<readonly unknown[]> {
  const role = await server.ask((redis) => redis.call('ROLE'));
  return Array.isArray(role) ? role : [];
}
