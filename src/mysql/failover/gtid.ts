/**
 * What a server has executed, by global transaction ids: enough to tell whether one server has all that another has.
 * Sources are keyed by `domain-server_id` (MariaDB) or by UUID and tag (MySQL).
 */
export interface GtidState {
  readonly flavor: 'mariadb' | 'mysql';
  readonly sources: ReadonlyMap<string, readonly Interval[]>;
}

/** Both included, from 1. */
export interface Interval {
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * MariaDB's lists (`0-1-17,0-2-18`), such as gtid_binlog_state and gtid_slave_pos, together: of each domain and server
 * the highest number, which stands for all before it. Comparing the numbers of a domain alone would take two histories
 * that have parted for one. Undefined when nothing is known.
 * @see https://mariadb.com/kb/en/gtid/
 */
export function mariadbGtids(...lists: readonly string[]): GtidState | undefined {
  const sources = new Map<string, readonly Interval[]>();
  for (const list of lists) {
    for (const [, source = '', number = ''] of list.matchAll(/(\d+-\d+)-(\d+)/g)) {
      const to = BigInt(number);
      const known = sources.get(source)?.[0]?.to ?? 0n;
      if (to > known) sources.set(source, [{ from: 1n, to }]);
    }
  }
  return sources.size === 0 ? undefined : { flavor: 'mariadb', sources };
}

/**
 * MySQL's gtid_executed: `uuid:1-5:7,uuid:tag:1-3`. Undefined when nothing is known (gtid_mode is off).
 * @see https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html
 */
export function mysqlGtids(set: string): GtidState | undefined {
  const sources = new Map<string, Interval[]>();
  for (const part of set.replace(/\s+/g, '').toLowerCase().split(',')) {
    const [uuid = '', ...rest] = part.split(':');
    let source = uuid;
    for (const word of rest) {
      const range = /^(\d+)(?:-(\d+))?$/.exec(word);
      if (!range) {
        source = `${uuid}:${word}`;
        continue;
      }
      const from = BigInt(range[1] ?? 0);
      const interval = { from, to: BigInt(range[2] ?? from) };
      sources.set(source, [...(sources.get(source) ?? []), interval]);
    }
  }
  return sources.size === 0 ? undefined : { flavor: 'mysql', sources: merged(sources) };
}

/** Whether all that `inner` has executed `outer` has, too. Undefined: that cannot be told. */
export function includes(outer: GtidState | undefined, inner: GtidState | undefined): boolean | undefined {
  if (!outer || !inner || outer.flavor !== inner.flavor) return undefined;
  for (const [source, intervals] of inner.sources) {
    const others = outer.sources.get(source) ?? [];
    const covered = intervals.every(({ from, to }) =>
      others.some((other) => other.from <= from && to <= other.to),
    );
    if (!covered) return false;
  }
  return true;
}

/** As the server writes it, in one line; empty when nothing is known. */
export function gtidText(state: GtidState | undefined): string {
  if (!state) return '';
  const all = [...state.sources].map(([source, intervals]) =>
    state.flavor === 'mariadb'
      ? intervals.map(({ to }) => `${source}-${to}`).join(',')
      : `${source}:${intervals.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(':')}`,
  );
  return all.join(',');
}

/** Intervals in order, those that touch as one: then each of another set lies within one of them or not at all. */
function merged(sources: ReadonlyMap<string, readonly Interval[]>): ReadonlyMap<string, readonly Interval[]> {
  const result = new Map<string, readonly Interval[]>();
  for (const [source, intervals] of sources) {
    const whole: Interval[] = [];
    for (const interval of intervals.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
      const last = whole.at(-1);
      if (last && interval.from <= last.to + 1n) {
        if (interval.to > last.to) whole[whole.length - 1] = { from: last.from, to: interval.to };
      } else whole.push(interval);
    }
    result.set(source, whole);
  }
  return result;
}
