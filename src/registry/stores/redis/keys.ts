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
  /** Held by whoever writes a snapshot. */
  readonly writing: string;
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
    chunk: (index, number) => `${base}:snapshot:${index}:${number}`,
  };
}
