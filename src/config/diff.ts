import { isDeepStrictEqual } from 'node:util';
import type { RuntimeConfig } from './runtime.ts';

/** One difference between two configurations. */
export type ConfigChange =
  | {
      readonly kind: 'added' | 'removed' | 'changed';
      readonly section: 'frontends' | 'backends' | 'resolvers';
      readonly name: string;
    }
  /** A setting of the process that takes effect at once: its path in the user's file. */
  | { readonly kind: 'setting'; readonly path: 'global.maxconn' | 'global.log' | 'global.hard-stop-after' }
  /** A setting that only a new process can take over: its path in the user's file. */
  | { readonly kind: 'needs-restart'; readonly path: string; readonly from: unknown; readonly to: unknown };

/** Settings that a running process follows. */
const LIVE = [
  ['global.maxconn', ({ global }: RuntimeConfig) => global.maxconn],
  ['global.log', ({ global }: RuntimeConfig) => global.log],
  ['global.hard-stop-after', ({ global }: RuntimeConfig) => global.hardStopAfter],
] as const;

/** Settings that are fixed once a process runs: what others know it by, and what it keeps. */
const FIXED: readonly (readonly [path: string, read: (config: RuntimeConfig) => unknown])[] = [
  ['global.node', ({ global }) => global.node],
  ['global.datacenter', ({ global }) => global.datacenter],
  ['global.data-dir', ({ global }) => global.dataDir],
  ['global.workers', ({ global }) => global.workers],
  ['global.stats', ({ global }) => global.stats],
  ['registry.http', ({ registry }) => registry?.http],
  ['registry.dns', ({ registry }) => registry?.dns],
  ['registry.domain', ({ registry }) => registry?.domain],
  ['registry.store', ({ registry }) => registry?.store],
  ['registry.script-checks', ({ registry }) => registry?.scriptChecks],
  ['registry.node-address', ({ registry }) => registry?.nodeAddress],
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
  return changes;
}

function byName<T extends { readonly name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}

function diffNamed(
  section: 'frontends' | 'backends' | 'resolvers',
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
