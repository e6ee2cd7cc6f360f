/** The keys of one registry. They share a hash tag, so that in a Redis Cluster they are on one node and scripts may touch them all. */
export interface StoreKeys {
  /** Names the registry in this Redis: a Redis that was emptied, and another one, have another. */
  readonly epoch: string;
  /** The index of the last commit. */
  readonly index: string;
  /** The stream of commits: the id of an entry is its index, with `-0` behind. */
  readonly log: string;
  /** A hash that says where the rows as of some commit are: `index` and how many `chunks`. */
  readonly snapshot: string;
  /** Tells a Redis from one that takes its place, as that tells it (`master_replid`). */
  readonly line: string;
  /** How often a process has begun anew to write: what it sent before and arrives late is not taken in any more. */
  readonly writer: (process: string) => string;
  /** Held by whoever writes a snapshot. */
  readonly writing: string;
  /** A hash: who has the lease of each node, by its name in lower case, as JSON. */
  readonly members: string;
  /** Those nodes, sorted by when their leases lapse, in ms of the clock of Redis. */
  readonly leases: string;
  /** A hash: who leads until when, and since when nodes have been able to renew without a gap. */
  readonly cluster: string;
  /** How many leaders there have been. */
  readonly tokens: string;
  /** Sessions with a TTL, sorted by when they are due. */
  readonly sessions: string;
  /** A stream of what nodes tell each other of stick-tables. */
  readonly tables: string;
  /** There for a while after a session has ended for want of renewal. */
  readonly ended: (session: string) => string;
  /** Keys that nobody may lock yet, sorted by until when. */
  readonly lockDelays: string;
  /** A hash: how far the rows of a lost registry have been put back. */
  readonly restored: string;
  /** Held by whoever puts back rows. */
  readonly turn: string;
  /** Rows of a snapshot. */
  readonly chunk: (index: number, number: number) => string;
}

/** @param prefix before all keys; braces of its own would change what the hash tag is */
export function storeKeys(prefix: string): StoreKeys {
  const base = `{${prefix}}`;
  return {
    epoch: `${base}:epoch`,
    index: `${base}:index`,
    log: `${base}:log`,
    snapshot: `${base}:snapshot`,
    writing: `${base}:snapshot-writer`,
    line: `${base}:line`,
    writer: (process) => `${base}:writer:${process}`,
    members: `${base}:members`,
    leases: `${base}:leases`,
    cluster: `${base}:cluster`,
    tokens: `${base}:leader-tokens`,
    sessions: `${base}:sessions`,
    tables: `${base}:tables`,
    ended: (session) => `${base}:ended:${session}`,
    lockDelays: `${base}:lock-delays`,
    restored: `${base}:restored`,
    turn: `${base}:restorer`,
    chunk: (index, number) => `${base}:snapshot:${index}:${number}`,
  };
}
