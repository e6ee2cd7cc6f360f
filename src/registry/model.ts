import type { Expectation } from './expectations.ts';

/**
 * The registry's nouns. Field names are Consul's in camel case; what is optional in Consul's JSON is
 * optional here. Every value is immutable: a change replaces the whole object.
 */

export type CheckStatus = 'passing' | 'warning' | 'critical';

export interface Indexed {
  readonly createIndex: number;
  readonly modifyIndex: number;
}

export interface RegistryNode extends Indexed {
  readonly id: string;
  readonly node: string;
  readonly address: string;
  readonly datacenter: string;
  readonly taggedAddresses: Readonly<Record<string, string>> | null;
  readonly meta: Readonly<Record<string, string>> | null;
}

export interface ServiceAddress {
  readonly address: string;
  readonly port: number;
}

/** One instance of a service on a node. */
export interface Instance extends Indexed {
  readonly node: string;
  readonly id: string;
  readonly service: string;
  readonly tags: readonly string[];
  /** Empty: the node's address. */
  readonly address: string;
  readonly port: number;
  readonly taggedAddresses: Readonly<Record<string, ServiceAddress>> | null;
  /** Null when never given: Consul's health answers tell that from `{}`. */
  readonly meta: Readonly<Record<string, string>> | null;
  readonly weights: { readonly passing: number; readonly warning: number };
  readonly enableTagOverride: boolean;
  readonly kind: string;
  /** The definition file that it is from; absent: it was registered over the API. */
  readonly file?: string | undefined;
}

/** A check's last known state, and how to run it when this process owns it. */
export interface Check extends Indexed {
  readonly node: string;
  readonly id: string;
  readonly name: string;
  /** A {@link CheckStatus}, or any other word that catalog/register was given: it counts as critical. */
  readonly status: string;
  readonly notes: string;
  readonly output: string;
  /** Empty: the check is about the node and counts for all its services. */
  readonly serviceId: string;
  readonly serviceName: string;
  readonly serviceTags: readonly string[];
  /** Consul's `Type`: http, tcp, grpc, script, ttl, alias, maintenance or empty. */
  readonly type: string;
  /** How its owner runs it; undefined for checks that are only told about (catalog, maintenance, serfHealth). */
  readonly definition: CheckDefinition | undefined;
  /** How whoever else reports it may run it: kept for showing, never run here. */
  readonly toldDefinition?: CheckDefinition | undefined;
  /** The definition file that it is from; absent: it is from nowhere else than the API or the registry itself. */
  readonly file?: string | undefined;
}

/** Milliseconds throughout. */
export interface CheckDefinition {
  readonly kind: CheckKind;
  readonly interval: number;
  readonly timeout: number;
  /** TTL checks: silence after which the check is critical. */
  readonly ttl: number;
  readonly successBeforePassing: number;
  readonly failuresBeforeCritical: number;
  /** 0: never. */
  readonly deregisterCriticalServiceAfter: number;
  readonly outputMaxSize: number;
}

export type CheckKind =
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly method: string;
      readonly header: Readonly<Record<string, readonly string[]>>;
      readonly body: string;
      readonly tlsSkipVerify: boolean;
    }
  | { readonly kind: 'tcp'; readonly address: string }
  | { readonly kind: 'udp'; readonly address: string }
  /** `host:port` or `host:port/service`. */
  | {
      readonly kind: 'grpc';
      readonly target: string;
      readonly useTls: boolean;
      readonly tlsSkipVerify: boolean;
    }
  | { readonly kind: 'script'; readonly args: readonly string[]; readonly shell: string }
  /** `container`: the id or the name of one that runs. */
  | {
      readonly kind: 'docker';
      readonly container: string;
      readonly args: readonly string[];
      readonly shell: string;
    }
  | { readonly kind: 'ttl' }
  /** `serviceId` empty: the whole node. */
  | { readonly kind: 'alias'; readonly node: string; readonly serviceId: string };

/** One key of the key/value store. Keys are exact: unlike names, they do not compare without case. */
export interface KvEntry extends Indexed {
  readonly key: string;
  /** Never written to: it is shared with whoever reads it. */
  readonly value: Uint8Array;
  /** A 64-bit unsigned number in decimal digits: more than a JavaScript number can hold. */
  readonly flags: string;
  /** How often the key has been locked since it was last written without a lock. */
  readonly lockIndex: number;
  /** The id of the session that holds the key; empty: none does. */
  readonly session: string;
}

/** What becomes of the keys that a session holds when it ends. */
export type SessionBehavior = 'release' | 'delete';

/** A session lives on a node and ends with it, with any of its checks, or when it is not renewed in time. */
export interface Session extends Indexed {
  readonly id: string;
  readonly name: string;
  readonly node: string;
  /** Milliseconds for which nobody can lock the keys that it held when it was ended. */
  readonly lockDelay: number;
  readonly behavior: SessionBehavior;
  /** As it was given, for showing; empty: none. */
  readonly ttl: string;
  /** The same in milliseconds; 0: the session need not be renewed. */
  readonly ttlMs: number;
  /** Ids of checks of its node. Null when never given, which Consul shows differently from an empty list. */
  readonly nodeChecks: readonly string[] | null;
  readonly serviceChecks: readonly { readonly id: string; readonly namespace: string }[] | null;
  /** Consul's older field for both. */
  readonly checks: readonly string[] | null;
}

/** A question about one service that is asked by its name or id, with what narrows the answer. */
export interface PreparedQuery extends Indexed {
  readonly id: string;
  /** Compared without case; empty: it is asked by its id only. */
  readonly name: string;
  /** The query goes when the session ends; empty: it stays. */
  readonly session: string;
  readonly service: string;
  /** Warnings count as failures. */
  readonly onlyPassing: boolean;
  /** Checks that do not count. Null when never given, here and below. */
  readonly ignoreCheckIds: readonly string[] | null;
  /** An instance needs all of them, and none of those that follow a `!`. */
  readonly tags: readonly string[] | null;
  readonly nodeMeta: Readonly<Record<string, string>> | null;
  readonly serviceMeta: Readonly<Record<string, string>> | null;
  /** Only kept: there is one node to be near to, and no other datacenter. */
  readonly near: string;
  readonly failover: { readonly nearestN: number; readonly datacenters: readonly string[] | null };
  /** Of DNS answers, as it was given; empty: that of services. */
  readonly ttl: string;
  /** The same in milliseconds. */
  readonly ttlMs: number;
}

/** Rows as a command hands them in: the commit stamps the indexes. */
export type Unindexed<T extends Indexed> = Omit<T, keyof Indexed>;

/**
 * One row of a commit. Deleting a node deletes its services, checks and sessions; deleting a service, its checks. A
 * session ends with a check that it names, when that goes or turns critical; and the keys that it held are then
 * released or deleted, as it asked for; prepared queries that are bound to it go.
 */
export type Change =
  | { readonly op: 'put-node'; readonly node: Unindexed<RegistryNode> }
  | { readonly op: 'delete-node'; readonly node: string }
  | { readonly op: 'put-service'; readonly service: Unindexed<Instance> }
  | { readonly op: 'delete-service'; readonly node: string; readonly id: string }
  /** `update`: only if it is there. What a check has found must not bring it back once somebody has removed it. */
  | { readonly op: 'put-check'; readonly check: Unindexed<Check>; readonly update?: true | undefined }
  | { readonly op: 'delete-check'; readonly node: string; readonly id: string }
  | { readonly op: 'put-kv'; readonly entry: Unindexed<KvEntry> }
  | { readonly op: 'delete-kv'; readonly key: string }
  | { readonly op: 'delete-kv-tree'; readonly prefix: string }
  | { readonly op: 'put-session'; readonly session: Unindexed<Session> }
  | { readonly op: 'delete-session'; readonly id: string }
  | { readonly op: 'put-query'; readonly query: Unindexed<PreparedQuery> }
  | { readonly op: 'delete-query'; readonly id: string };

/** What a check's report comes to. */
export type PutCheck = Extract<Change, { readonly op: 'put-check' }>;

/** Who asked for a change and why, for the log: `{ by: "api 127.0.0.1:51122", what: "agent/service/deregister" }`. */
export interface Cause {
  readonly by: string;
  readonly what: string;
}

/** One atomic commit: all of `changes` took effect at `index`, or none if something was not as it was expected. */
export interface Committed {
  readonly index: number;
  readonly changes: readonly Change[];
  readonly cause: Cause;
  readonly expects?: readonly Expectation[] | undefined;
}

/** Everything a store holds. */
export interface StoreSnapshot {
  readonly index: number;
  readonly nodes: readonly RegistryNode[];
  readonly services: readonly Instance[];
  readonly checks: readonly Check[];
  readonly sessions: readonly Session[];
  readonly kv: readonly KvEntry[];
  readonly queries: readonly PreparedQuery[];
}
