import { didYouMean } from '../nearest.ts';
import type { Path } from '../problem.ts';
import type { GlobalConfig } from '../runtime/global.ts';
import type { MysqlPromoteConfig, MysqlServerConfig, MysqlVipConfig } from '../runtime/mysql-vips.ts';
import type { ConsulConfig, ResolversConfig } from '../runtime/resolvers.ts';
import type { UserConfig, UserMysqlVip } from '../schema/user-config.ts';
import { type ResolveContext, requireKey } from './context.ts';
import { resolveSendProxy } from './send-proxy.ts';

export function resolveMysqlVips(
  user: UserConfig,
  { maxconn }: GlobalConfig,
  resolvers: readonly ResolversConfig[],
  context: ResolveContext,
): readonly MysqlVipConfig[] {
  const services = new Map<string, string>();
  return Object.entries(user['mysql-vip'] ?? {}).map(([name, vip]) => {
    const path: Path = ['mysql-vip', name];
    requireKey(context, path, 'bind', 'the addresses to listen on');
    requireKey(context, path, 'servers', 'the MySQL servers');
    requireKey(context, path, 'monitor', 'the account to ask the servers with');
    if (vip.monitor) requireKey(context, [...path, 'monitor'], 'user', 'the account to ask the servers with');
    const service = vip.service ?? 'mysql';
    const other = services.get(service);
    if (other !== undefined) {
      const at = context.keys(path).has('service') ? ([...path, 'service'] as const) : path;
      const message = `${other} registers ${service}-vip already: give each its own service`;
      context.report({ path: at, at: 'value', message });
    }
    services.set(service, `mysql-vip.${name}`);
    return {
      name,
      bind: vip.bind ?? [],
      bindRo: vip['bind-ro'] ?? [],
      service,
      servers: resolveServers(vip, path, context),
      monitor: {
        user: vip.monitor?.user ?? '',
        password: vip.monitor?.password ?? '',
        interval: vip.monitor?.interval ?? 1_000,
        timeout: vip.monitor?.timeout ?? 1_000,
        fall: vip.monitor?.fall ?? 3,
        rise: vip.monitor?.rise ?? 2,
      },
      failover: {
        mode: vip.failover?.mode ?? 'degrade',
        unreachableWait: vip.failover?.['unreachable-wait'] ?? 5_000,
        maxStale: vip.failover?.['max-stale'] ?? 3_600_000,
      },
      registry: {
        services: consulOf(vip, 'services', resolvers, path, context),
        lock: consulOf(vip, 'lock', resolvers, path, context),
        agentLoss: vip.registry?.['agent-loss'] ?? 'failover',
        agentGrace: vip.registry?.['agent-grace'] ?? 2_000,
      },
      promote: resolvePromote(vip, path, context),
      failback: {
        policy: vip.failback?.policy ?? 'after-stable',
        stable: vip.failback?.stable ?? 60_000,
      },
      hold: { time: vip.hold?.time ?? 8_000, max: vip.hold?.max ?? 1_000 },
      drain: vip.drain ?? 10_000,
      connectTimeout: vip.timeout?.connect ?? 1_000,
      maxconn: vip.maxconn ?? maxconn,
    };
  });
}

function consulOf(
  vip: UserMysqlVip,
  key: 'services' | 'lock',
  resolvers: readonly ResolversConfig[],
  path: Path,
  context: ResolveContext,
): ConsulConfig | undefined {
  const id = vip.registry?.[key];
  if (id === undefined || id === 'builtin') return undefined;
  const found = resolvers.find((one) => one.id === id);
  if (found?.kind === 'consul') return found;
  const consuls = resolvers.filter(({ kind }) => kind === 'consul').map((one) => one.id);
  const message = found
    ? `${id} asks nameservers, which take no registrations: name a section with the key consul`
    : `expected builtin or a resolvers section with the key consul, found ${JSON.stringify(id)}`;
  const at = [...path, 'registry', key] as const;
  context.report({ path: at, at: 'value', message, suggestion: didYouMean(id, ['builtin', ...consuls]) });
  return undefined;
}

function resolvePromote(
  { failover, promote }: UserMysqlVip,
  path: Path,
  context: ResolveContext,
): MysqlPromoteConfig | undefined {
  if (failover?.mode !== 'promote') {
    if (!promote) return undefined;
    context.report({ path: [...path, 'promote'], at: 'key', message: 'needs failover: { mode: promote }' });
    return undefined;
  }
  requireKey(context, path, 'promote', 'the account to promote with');
  if (!promote) return undefined;
  const at: Path = [...path, 'promote'];
  requireKey(context, at, 'user', 'the account to promote with');
  const { hooks = {}, replication } = promote;
  if (replication) requireKey(context, [...at, 'replication'], 'user', 'the account of slaves');
  const requireFence = promote['require-fence'] ?? true;
  if (requireFence && !hooks.fence) {
    const message =
      'needs hooks.fence, a program that makes sure that a dead master stays dead; or require-fence: false';
    context.report({ path: at, at: 'key', message });
  }
  const { pre, fence, promote: own, post, failed } = hooks;
  return {
    user: promote.user ?? '',
    password: promote.password ?? '',
    replication: replication && { user: replication.user ?? '', password: replication.password ?? '' },
    maxLag: promote['max-lag'] ?? 5_000,
    applyWait: promote['apply-wait'] ?? 30_000,
    blockFor: promote['block-for'] ?? 3_600_000,
    requireFence,
    hookTimeout: promote['hook-timeout'] ?? 30_000,
    hooks: { pre, fence, promote: own, post, failed },
  };
}

function resolveServers(
  { servers = {} }: UserMysqlVip,
  path: Path,
  context: ResolveContext,
): readonly MysqlServerConfig[] {
  const known = Object.entries(servers);
  const resolved = known.flatMap(([id, { address, role, node, ...server }]): MysqlServerConfig[] => {
    const at: Path = [...path, 'servers', id];
    requireKey(context, at, 'address', 'ip:port');
    requireKey(context, at, 'role', 'master or slave');
    if (!address || !role) return [];
    const report = (message: string) => context.report({ path: [...at, 'address'], at: 'value', message });
    if (address.kind === 'name' && address.host !== 'localhost') {
      report(`expected an IP address: ${address.host} is a name`);
    }
    if (address.port === undefined) report(`${address.text} needs a port; write ${address.text}:3306`);
    const host = address.kind === 'name' ? '127.0.0.1' : address.host;
    return [
      {
        id,
        role,
        host,
        port: address.port ?? 0,
        ...(node === undefined ? {} : { node }),
        ...resolveSendProxy(server),
      },
    ];
  });
  checkServers(known.length, resolved, path, context);
  return resolved;
}

function checkServers(
  written: number,
  servers: readonly MysqlServerConfig[],
  path: Path,
  context: ResolveContext,
): void {
  // What is wrong with one of them has been told.
  if (servers.length < written || !context.keys(path).has('servers')) return;
  const report = (message: string) => context.report({ path: [...path, 'servers'], at: 'value', message });
  const masters = servers.filter(({ role }) => role === 'master').length;
  if (masters !== 1) report(`expected exactly one server with role master, found ${masters}`);
  const places = new Set(servers.map(({ host, port }) => `${host} ${port}`));
  if (places.size < servers.length) report('two servers have the same address');
}
