import { resolve } from 'node:path';
import type { BindAddress } from '../runtime/binds.ts';
import type { GlobalConfig } from '../runtime/global.ts';
import type { RegistryConfig } from '../runtime/registry.ts';
import type { UserConfig } from '../schema/user-config.ts';
import type { ResolveContext } from './context.ts';
import { resolveDatacenters } from './datacenters.ts';
import { resolveDnsConfig } from './dns-config.ts';
import { resolveAccess } from './registry-access.ts';
import { resolveStore } from './store.ts';

const DEFAULT_STATS: BindAddress = { host: '127.0.0.1', port: 8404 };
const DEFAULT_HTTP: BindAddress = { host: '127.0.0.1', port: 8500 };
const DEFAULT_DNS: BindAddress = { host: '127.0.0.1', port: 8600 };
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

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
    ...(user['spread-checks'] ? { spreadChecks: user['spread-checks'] } : {}),
    pidfile: pidfile === undefined ? undefined : resolve(cwd, pidfile),
  };
}

export function resolveRegistry(
  user: UserConfig['registry'] = {},
  { dataDir, datacenter }: GlobalConfig,
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
    store: resolveStore(user, dataDir, context),
    services: user.services ?? [],
    scriptChecks: user['script-checks'] ?? 'off',
    externalChecks: user['external-checks'] ?? false,
    dockerHost: user['docker-host'],
    nodeAddress: user['node-address'] ?? (http && !EVERY_ADDRESS.has(http.host) ? http.host : '127.0.0.1'),
    dnsConfig: resolveDnsConfig(user, dns, context),
    datacenters: resolveDatacenters(user.datacenters, datacenter, context),
    warningsFail: user.warning === 'critical',
    lenientFields: user['lenient-fields'] ?? false,
    httpConnectionsPerClient: user['http-max-conns-per-client'] ?? 1_000,
  };
}

function openDoor(bind: BindAddress | 'off' | undefined, otherwise: BindAddress): BindAddress | undefined {
  return bind === 'off' ? undefined : (bind ?? otherwise);
}
