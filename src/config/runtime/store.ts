/** Where the registry is kept. */
export type StoreConfig =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly file: string }
  /** Registries of different prefixes have nothing in common. */
  | RedisStoreConfig;

export interface RedisStoreConfig {
  readonly kind: 'redis';
  readonly prefix: string;
  readonly address: RedisAddress;
  /** ms without a sign of life until a node counts as dead. */
  readonly lease: number;
  /** Keeps what could not be sent to Redis; undefined: it is lost with the process. */
  readonly outboxFile: string | undefined;
  /** A node that is told to stop takes along what was registered there. */
  readonly leaveOnTerminate: boolean;
}

/** Where a Redis is, and how it is spoken to. */
export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** Of the server itself, of its Sentinels, or of some nodes of the cluster. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** What Sentinels call the master. */
  readonly master: string;
  readonly sentinelPassword: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Undefined: in the clear. `ca`: PEM of those to trust; undefined: those that Node trusts. */
  readonly tls: { readonly ca: string | undefined } | undefined;
}
