import { isDeepStrictEqual } from 'node:util';
import type { RuntimeConfig } from './runtime/config.ts';
import type { DnsConfig } from './runtime/registry.ts';

/** The named sections of a file. */
type Section = 'frontends' | 'backends' | 'resolvers' | 'mysql-vip';

/** One difference between two configurations. */
export type ConfigChange =
  | {
      readonly kind: 'added' | 'removed' | 'changed';
      readonly section: Section;
      readonly name: string;
    }
  /** A setting of the process that takes effect at once: its path in the user's file. */
  | { readonly kind: 'setting'; readonly path: (typeof LIVE)[number][0] }
  /** A setting that only a new process can take over: its path in the user's file. */
  | { readonly kind: 'needs-restart'; readonly path: string; readonly from: unknown; readonly to: unknown };

/** Settings that a running process follows. */
const LIVE = [
  ['global.maxconn', ({ global }: RuntimeConfig) => global.maxconn],
  ['global.log', ({ global }: RuntimeConfig) => global.log],
  ['global.grace', ({ global }: RuntimeConfig) => global.grace],
  ['global.close-spread-time', ({ global }: RuntimeConfig) => global.closeSpread],
  ['global.hard-stop-after', ({ global }: RuntimeConfig) => global.hardStopAfter],
  ['global.spread-checks', ({ global }: RuntimeConfig) => global.spreadChecks],
  ['registry.services', ({ registry }: RuntimeConfig) => registry?.services ?? []],
  ['registry.tokens', ({ registry }: RuntimeConfig) => registry?.access.grants],
  ['registry.anonymous', ({ registry }: RuntimeConfig) => registry?.access.anonymous],
  ['registry.datacenters', ({ registry }: RuntimeConfig) => registry?.datacenters ?? []],
  ['registry.allowed-hosts', ({ registry }: RuntimeConfig) => registry?.access.allowedHosts],
] as const;

/** Settings that are fixed once a process runs: what others know it by, and what it keeps. */
const FIXED: readonly (readonly [path: string, read: (config: RuntimeConfig) => unknown])[] = [
  ['global.node', ({ global }) => global.node],
  ['global.datacenter', ({ global }) => global.datacenter],
  ['global.data-dir', ({ global }) => global.dataDir],
  ['global.workers', ({ global }) => global.workers],
  ['global.stats', ({ global }) => global.stats],
  ['global.pidfile', ({ global }) => global.pidfile],
  ['registry.http', ({ registry }) => registry?.http],
  ['registry.http-max-conns-per-client', ({ registry }) => registry?.httpConnectionsPerClient],
  ['registry.dns', ({ registry }) => registry?.dns],
  ['registry.domain', ({ registry }) => registry?.domain],
  ['registry.store', ({ registry }) => registry?.store],
  ['registry.script-checks', ({ registry }) => registry?.scriptChecks],
  ['registry.external-checks', ({ registry }) => registry?.externalChecks ?? false],
  ['registry.docker-host', ({ registry }) => registry?.dockerHost],
  ['registry.node-address', ({ registry }) => registry?.nodeAddress],
  ['registry.warning', ({ registry }) => registry?.warningsFail ?? false],
  ['registry.lenient-fields', ({ registry }) => registry?.lenientFields ?? false],
  ['registry.recursors', ({ registry }) => registry?.dnsConfig.recursors],
  ['registry.alt-domain', ({ registry }) => registry?.dnsConfig.altDomain],
  ['registry.dns-config', ({ registry }) => registry && ownDnsConfig(registry.dnsConfig)],
];

/** What differs, by name: the order of sections in the file means nothing. Equal configurations give []. */
export function diffConfig(previous: RuntimeConfig, next: RuntimeConfig): readonly ConfigChange[] {
  const changes: ConfigChange[] = [];
  for (const [path, read] of FIXED) {
    const [from, to] = [read(previous), read(next)];
    if (!isDeepStrictEqual(from, to)) changes.push({ kind: 'needs-restart', path, from, to });
  }
  for (const [path, read] of LIVE) {
    if (!isDeepStrictEqual(read(previous), read(next))) changes.push({ kind: 'setting', path });
  }
  const byId = (config: RuntimeConfig) => new Map(config.resolvers.map((section) => [section.id, section]));
  changes.push(...diffNamed('resolvers', byId(previous), byId(next)));
  changes.push(...diffNamed('backends', byName(previous.backends), byName(next.backends)));
  changes.push(...diffNamed('frontends', byName(previous.frontends), byName(next.frontends)));
  changes.push(...diffNamed('mysql-vip', byName(previous.mysqlVips), byName(next.mysqlVips)));
  return changes;
}

/** What stands under its own key in the file. */
function ownDnsConfig({ altDomain: _, recursors: __, ...own }: DnsConfig): unknown {
  return own;
}

function byName<T extends { readonly name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}

function diffNamed(
  section: Section,
  previous: ReadonlyMap<string, unknown>,
  next: ReadonlyMap<string, unknown>,
): readonly ConfigChange[] {
  const changes: ConfigChange[] = [];
  for (const [name, item] of previous) {
    if (!next.has(name)) changes.push({ kind: 'removed', section, name });
    else if (!isDeepStrictEqual(item, next.get(name))) changes.push({ kind: 'changed', section, name });
  }
  for (const name of next.keys()) {
    if (!previous.has(name)) changes.push({ kind: 'added', section, name });
  }
  return changes;
}
