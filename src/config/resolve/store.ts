import { resolve } from 'node:path';
import type { RegistryConfig } from '../runtime/registry.ts';
import type { StoreWords } from '../schema/redis.ts';
import type { UserRegistry } from '../schema/user-config.ts';
import { readTrusted } from './certificates.ts';
import { isBroken, type ResolveContext } from './context.ts';

const LEASE_MS = 15_000;
const SHORTEST_LEASE_MS = 3_000;
const LONGEST_LEASE_MS = 600_000;
const STORE_FILE = 'registry.db';
/** In the data folder: what a registry in Redis could not be told. */
const OUTBOX_FILE = 'registry-outbox.jsonl';
const REDIS = ['registry', 'redis'] as const;

type UserRedis = NonNullable<Exclude<UserRegistry, 'off'>['redis']>;

/** @param dataDir absolute; undefined: nothing is written to disk */
export function resolveStore(
  { store, redis }: Pick<Exclude<UserRegistry, 'off'>, 'store' | 'redis'>,
  dataDir: string | undefined,
  context: ResolveContext,
): RegistryConfig['store'] {
  const isRedis = store === 'redis' || typeof store === 'object';
  if (redis && !isRedis && !isBroken(context, ['registry', 'store'], store)) {
    const message = 'is used by registry.store: redis only';
    context.report({ path: REDIS, at: 'key', message });
  }
  if (isRedis) return resolveRedis(store, redis ?? {}, dataDir, context);
  if (store === 'sqlite' && dataDir === undefined && !context.keys(['global']).has('data-dir')) {
    const message = 'sqlite needs a folder to keep its file in: set global.data-dir';
    context.report({ path: ['registry', 'store'], at: 'value', message });
  }
  if (store === 'memory' || dataDir === undefined) return { kind: 'memory' };
  return { kind: 'sqlite', file: resolve(dataDir, STORE_FILE) };
}

function resolveRedis(
  store: Exclude<StoreWords, 'memory' | 'sqlite'>,
  redis: UserRedis,
  dataDir: string | undefined,
  context: ResolveContext,
): RegistryConfig['store'] {
  const url = store === 'redis' ? undefined : store;
  const { servers = [], mode = 'single', tls = url?.secure ?? false, 'ca-file': caFile } = redis;
  const hosts = [...(url ? [{ host: url.host, port: url.port }] : []), ...servers.map(hostOf)];
  const report = (key: string, message: string) =>
    context.report({ path: [...REDIS, key], at: 'key', message });
  if (url && servers.length > 0) report('servers', 'the server stands in registry.store already');
  else if (hosts.length === 0 && !context.keys(REDIS).has('servers')) {
    report('servers', 'missing: expected the address of a Redis server');
  }
  if (mode === 'single' && servers.length > 1) {
    report('servers', 'several addresses need mode: sentinel or mode: cluster');
  }
  const database = redis.database ?? url?.database ?? 0;
  if (mode === 'cluster' && database !== 0) report('database', 'a cluster has database 0 only');
  const { lease = LEASE_MS } = redis;
  if (lease < SHORTEST_LEASE_MS || lease > LONGEST_LEASE_MS) report('lease', 'expected 3s to 10m');
  if (caFile !== undefined && !tls) report('ca-file', 'has no use without tls: true');
  const ca =
    caFile === undefined
      ? undefined
      : readTrusted({ path: caFile, offset: 0 }, [...REDIS, 'ca-file'], context);
  return {
    kind: 'redis',
    prefix: redis.prefix ?? 'vane',
    lease,
    outboxFile: dataDir === undefined ? undefined : resolve(dataDir, OUTBOX_FILE),
    leaveOnTerminate: redis['leave-on-terminate'] ?? false,
    address: {
      kind: mode,
      hosts,
      master: redis.master ?? 'mymaster',
      sentinelPassword: redis['sentinel-password'],
      username: redis.username ?? url?.username,
      password: redis.password ?? url?.password,
      database,
      tls: tls ? { ca } : undefined,
    },
  };
}

function hostOf({ host, port = 6379 }: { readonly host: string; readonly port?: number | undefined }) {
  return { host, port };
}
