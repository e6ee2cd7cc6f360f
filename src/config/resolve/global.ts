import { resolve } from 'node:path';
import type { BindAddress } from '../runtime/binds.ts';
import type { GlobalConfig } from '../runtime/global.ts';
import type { RegistryConfig } from '../runtime/registry.ts';
import type { ResolversConfig } from '../runtime/resolvers.ts';
import type { UserConfig } from '../schema/user-config.ts';
import { type ResolveContext, requireKey } from './context.ts';
import { resolveDnsConfig } from './dns-config.ts';
import { resolveAccess } from './registry-access.ts';

const DEFAULT_STATS: BindAddress = { host: '127.0.0.1', port: 8404 };
const DEFAULT_HTTP: BindAddress = { host: '127.0.0.1', port: 8500 };
const DEFAULT_DNS: BindAddress = { host: '127.0.0.1', port: 8600 };
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
const STORE_FILE = 'registry.db';

export function resolveGlobal(user: UserConfig['global'] = {}, context: ResolveContext): GlobalConfig {
  const { hostname, cwd, cores } = context;
  const { 'data-dir': dataDir, pidfile, grace = 0, 'hard-stop-after': hardStopAfter = 30_000 } = user;
  if (grace > hardStopAfter) {
    const message = `is part of hard-stop-after and cannot be longer (${hardStopAfter} ms)`;
    context.report({ path: ['global', 'grace'], at: 'value', message });
  }
  return {
    node: user.node ?? hostname,
    datacenter: user.datacenter ?? 'dc1',
    dataDir: dataDir === undefined ? undefined : resolve(cwd, dataDir),
    workers: user.workers === 'auto' ? cores : (user.workers ?? 0),
    maxconn: user.maxconn ?? 20_000,
    log: { level: user.log?.level ?? 'info', format: user.log?.format ?? 'json' },
    stats: user.stats === 'off' ? undefined : { bind: user.stats?.bind ?? DEFAULT_STATS },
    grace,
    closeSpread: user['close-spread-time'] ?? 1_000,
    hardStopAfter,
    pidfile: pidfile === undefined ? undefined : resolve(cwd, pidfile),
  };
}

export function resolveRegistry(
  user: UserConfig['registry'] = {},
  { dataDir }: GlobalConfig,
  context: ResolveContext,
): RegistryConfig | undefined {
  if (user === 'off') return undefined;
  const http = openDoor(user.http, DEFAULT_HTTP);
  const dns = openDoor(user.dns, DEFAULT_DNS);
  return {
    http,
    access: resolveAccess(user, http, context),
    dns,
    domain: user.domain ?? 'consul',
    store: resolveStore(user.store, dataDir, context),
    services: user.services ?? [],
    scriptChecks: user['script-checks'] ?? 'off',
    nodeAddress: user['node-address'] ?? (http && !EVERY_ADDRESS.has(http.host) ? http.host : '127.0.0.1'),
    dnsConfig: resolveDnsConfig(user, dns, context),
  };
}

function openDoor(bind: BindAddress | 'off' | undefined, otherwise: BindAddress): BindAddress | undefined {
  return bind === 'off' ? undefined : (bind ?? otherwise);
}

function resolveStore(
  kind: 'memory' | 'sqlite' | undefined,
  dataDir: string | undefined,
  context: ResolveContext,
): RegistryConfig['store'] {
  if (kind === 'sqlite' && dataDir === undefined && !context.keys(['global']).has('data-dir')) {
    const message = 'sqlite needs a folder to keep its file in: set global.data-dir';
    context.report({ path: ['registry', 'store'], at: 'value', message });
  }
  if (kind === 'memory' || dataDir === undefined) return { kind: 'memory' };
  return { kind: 'sqlite', file: resolve(dataDir, STORE_FILE) };
}

/** `builtin` is the registry in this process and cannot be declared. */
export function resolveResolvers(
  user: UserConfig['resolvers'] = {},
  context: ResolveContext,
): readonly ResolversConfig[] {
  return Object.entries(user).map(([id, section]) => {
    if (id === 'builtin') {
      const message = 'builtin is the registry in this process: choose another name';
      context.report({ path: ['resolvers', id], at: 'key', message });
    }
    requireKey(context, ['resolvers', id], 'nameserver', 'the nameservers to ask');
    const nameservers = Object.entries(section.nameserver ?? {}).map(([name, server]) => ({
      name,
      ...server,
    }));
    if (section.nameserver && context.keys(['resolvers', id, 'nameserver']).size === 0) {
      const message = 'must not be empty';
      context.report({ path: ['resolvers', id, 'nameserver'], at: 'value', message });
    }
    return {
      id,
      nameservers,
      resolveRetries: section.resolve_retries ?? 3,
      timeoutRetry: section.timeout?.retry ?? 1_000,
      acceptedPayloadSize: section.accepted_payload_size ?? 1_232,
    };
  });
}
