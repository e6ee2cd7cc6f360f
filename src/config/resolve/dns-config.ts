import type { BindAddress } from '../runtime/binds.ts';
import type { DnsConfig } from '../runtime/registry.ts';
import type { UserConfig } from '../schema/user-config.ts';
import type { ResolveContext } from './context.ts';

type UserRegistry = Exclude<NonNullable<UserConfig['registry']>, 'off'>;

/**
 * Defaults are Consul's.
 *
 * @param own where the DNS listens itself
 */
export function resolveDnsConfig(
  user: UserRegistry,
  own: BindAddress | undefined,
  context: ResolveContext,
): DnsConfig {
  for (const [i, { host, port }] of (user.recursors ?? []).entries()) {
    if (host !== own?.host || port !== own.port) continue;
    const message = 'is where this DNS listens itself: questions would go round in circles';
    context.report({ path: ['registry', 'recursors', i], at: 'value', message });
  }
  const dns = user['dns-config'] ?? {};
  const { soa = {} } = dns;
  const ttls = Object.entries(dns['service-ttl'] ?? {});
  return {
    altDomain: user['alt-domain'],
    recursors: user.recursors ?? [],
    recursorTimeout: dns['recursor-timeout'] ?? 2_000,
    nodeTtl: seconds(dns['node-ttl'], 0),
    serviceTtls: Object.fromEntries(ttls.map(([name, ttl]) => [name.toLowerCase(), seconds(ttl, 0)])),
    onlyPassing: dns['only-passing'] ?? false,
    udpAnswerLimit: dns['udp-answer-limit'] ?? 3,
    aRecordLimit: dns['a-record-limit'] ?? 0,
    enableTruncate: dns['enable-truncate'] ?? false,
    soa: {
      refresh: seconds(soa.refresh, 3_600),
      retry: seconds(soa.retry, 600),
      expire: seconds(soa.expire, 86_400),
      minTtl: seconds(soa['min-ttl'], 0),
    },
    recursionAvailable: dns['recursion-available'] ?? false,
    ptrNxdomain: dns['ptr-nxdomain'] ?? false,
  };
}

function seconds(ms: number | undefined, otherwise: number): number {
  return ms === undefined ? otherwise : Math.floor(ms / 1_000);
}
