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
  /** Consul's `Type`: http, tcp, script, ttl, alias, maintenance or empty. */
  readonly type: string;
  /** How its owner runs it; undefined for checks that are only told about (catalog, maintenance, serfHealth). */
  readonly definition: CheckDefinition | undefined;
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
  | { readonly kind: 'script'; readonly args: readonly string[]; readonly shell: string }
  | { readonly kind: 'ttl' }
  /** `serviceId` empty: the whole node. */
  | { readonly kind: 'alias'; readonly node: string; readonly serviceId: string };

/** Rows as a command hands them in: the commit stamps the indexes. */
export type Unindexed<T extends Indexed> = Omit<T, keyof Indexed>;

/** One row of a commit. Deleting a node deletes its services and checks; deleting a service, its checks. */
export type Change =
  | { readonly op: 'put-node'; readonly node: Unindexed<RegistryNode> }
  | { readonly op: 'delete-node'; readonly node: string }
  | { readonly op: 'put-service'; readonly service: Unindexed<Instance> }
  | { readonly op: 'delete-service'; readonly node: string; readonly id: string }
  | { readonly op: 'put-check'; readonly check: Unindexed<Check> }
  | { readonly op: 'delete-check'; readonly node: string; readonly id: string };

/** What a check's report comes to. */
export type PutCheck = Extract<Change, { readonly op: 'put-check' }>;

/** Who asked for a change and why, for the log: `{ by: "api 127.0.0.1:51122", what: "agent/service/deregister" }`. */
export interface Cause {
  readonly by: string;
  readonly what: string;
}

/** One atomic commit: all of `changes` took effect at `index`. */
export interface Committed {
  readonly index: number;
  readonly changes: readonly Change[];
  readonly cause: Cause;
}

/** Everything a store holds. */
export interface StoreSnapshot {
  readonly index: number;
  readonly nodes: readonly RegistryNode[];
  readonly services: readonly Instance[];
  readonly checks: readonly Check[];
}
