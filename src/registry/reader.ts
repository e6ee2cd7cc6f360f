import type { Check, CheckStatus, Instance, KvEntry, PreparedQuery, RegistryNode, Session } from './model.ts';

/** An answer and the index it was read at: a blocking query waits for a higher one. Never 0. */
export interface AtIndex<T> {
  readonly index: number;
  readonly value: T;
}

/** One instance with all that decides about it: its node and every check that counts for it. */
export interface ServiceEntry {
  readonly node: RegistryNode;
  readonly instance: Instance;
  /** Node-level checks first, then the instance's own; each group by check id. */
  readonly checks: readonly Check[];
}

/**
 * What may be asked of the catalog, and waited for. Each query has an index of its own, so that a watcher is
 * woken only by what it asked about (Consul 1.9: per-service indexes for `health-service`, tables for the rest).
 */
export type Query =
  | { readonly kind: 'health-service'; readonly service: string }
  | { readonly kind: 'catalog-service'; readonly service: string }
  | { readonly kind: 'services' }
  | { readonly kind: 'nodes' }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'health-node'; readonly node: string }
  | { readonly kind: 'health-checks'; readonly service: string }
  | { readonly kind: 'health-state' }
  | { readonly kind: 'kv'; readonly key: string }
  | { readonly kind: 'kv-tree'; readonly prefix: string }
  | { readonly kind: 'session'; readonly id: string }
  | { readonly kind: 'node-sessions'; readonly node: string }
  | { readonly kind: 'sessions' }
  | { readonly kind: 'queries' };

/**
 * Local, synchronous reads of the registry: served from memory in every process, whatever the store.
 * Names of nodes, services and ids compare without case, as in Consul's catalog. Lists are ordered by
 * node, then instance id, case-folded. Returned objects are shared and must not be changed.
 */
export interface CatalogReader {
  /** The name of this process's own node. */
  readonly self: string;
  readonly datacenter: string;
  /** Index of the last commit, at least 1. */
  readonly index: number;

  entries(service: string): AtIndex<readonly ServiceEntry[]>;
  /** Service name → distinct tags. */
  services(): AtIndex<ReadonlyMap<string, readonly string[]>>;
  nodes(): AtIndex<readonly RegistryNode[]>;
  node(
    name: string,
  ): AtIndex<{ readonly node: RegistryNode; readonly instances: readonly Instance[] } | undefined>;
  nodeChecks(node: string): AtIndex<readonly Check[]>;
  serviceChecks(service: string): AtIndex<readonly Check[]>;
  /** `any`: all checks; a word that no check has: none. */
  checksInState(status: string): AtIndex<readonly Check[]>;
  instance(node: string, id: string): Instance | undefined;
  check(node: string, id: string): Check | undefined;
  /** The check rows of one node that concern one instance only. */
  instanceChecks(node: string, id: string): readonly Check[];
  readonly kv: KvReader;
  readonly sessions: SessionReader;
  readonly queries: QueryReader;
  /** The current index of one query. */
  indexOf(query: Query): number;
  /** Calls `fn` after every commit that moved the query's index; synchronously, so keep it short. */
  watch(query: Query, fn: () => void): () => void;
  /**
   * Calls `fn` after every commit that did something to checks of the node, with their ids as they were and are
   * written; with undefined where any may have changed. Synchronously, so keep it short.
   */
  watchChecks(node: string, fn: (ids: ReadonlySet<string> | undefined) => void): () => void;
}

/** The key/value store. Keys compare exactly, and lists are in their order. */
export interface KvReader {
  /** Of all keys and values together. */
  readonly bytes: number;
  entry(key: string): AtIndex<KvEntry | undefined>;
  under(prefix: string): AtIndex<readonly KvEntry[]>;
  /** The keys that a session holds. */
  heldBy(session: string): readonly string[];
}

/** Sessions, ordered by id. */
export interface SessionReader {
  get(id: string): AtIndex<Session | undefined>;
  all(): AtIndex<readonly Session[]>;
  ofNode(node: string): AtIndex<readonly Session[]>;
  /** Those that end with a check. */
  naming(node: string, check: string): readonly Session[];
}

/** Prepared queries, ordered by id. */
export interface QueryReader {
  all(): AtIndex<readonly PreparedQuery[]>;
  /** By its id, or by its name in any case. */
  find(idOrName: string): PreparedQuery | undefined;
}

/** The worst of the checks; none: passing. Any other word than Consul's three counts as critical. */
export function aggregateStatus(checks: readonly Pick<Check, 'status'>[]): CheckStatus {
  let worst: CheckStatus = 'passing';
  for (const check of checks) {
    if (check.status === 'passing') continue;
    if (check.status !== 'warning') return 'critical';
    worst = 'warning';
  }
  return worst;
}
