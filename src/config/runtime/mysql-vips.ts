import type { ClientBind } from './binds.ts';
import type { ConsulConfig } from './resolvers.ts';
import type { SendProxy } from './servers.ts';

/** An endpoint that leads to the MySQL master. Durations are ms. */
export interface MysqlVipConfig {
  readonly name: string;
  readonly bind: readonly ClientBind[];
  readonly bindRo: readonly ClientBind[];
  /** The registry gets `<service>-master`, `<service>-slave` and `<service>-vip`. */
  readonly service: string;
  /** In file order; exactly one is the master. */
  readonly servers: readonly MysqlServerConfig[];
  readonly monitor: {
    readonly user: string;
    readonly password: string;
    readonly interval: number;
    readonly timeout: number;
    readonly fall: number;
    readonly rise: number;
  };
  readonly failover: {
    readonly mode: 'degrade' | 'promote';
    /** How long a slave that still hears from the master keeps clients from being led away. */
    readonly unreachableWait: number;
    readonly maxStale: number;
  };
  readonly registry: {
    /** The Consul that shows its instances; undefined: the built-in registry does. */
    readonly services: ConsulConfig | undefined;
    /** The Consul in which several Vanes agree; undefined: they do in the built-in registry, if they share one. */
    readonly lock: ConsulConfig | undefined;
    /** What it means that the registry has lost the agent of the master's node. */
    readonly agentLoss: 'failover' | 'confirm' | 'ignore';
    /** For how long it must have. */
    readonly agentGrace: number;
  };
  /** Undefined: no server is ever made the master. */
  readonly promote: MysqlPromoteConfig | undefined;
  readonly failback: {
    readonly policy: 'automatic' | 'after-stable' | 'manual';
    readonly stable: number;
  };
  readonly hold: { readonly time: number; readonly max: number };
  readonly drain: number;
  /** For a server to accept a connection and to greet. */
  readonly connectTimeout: number;
  readonly maxconn: number;
}

export interface MysqlServerConfig {
  readonly id: string;
  readonly role: 'master' | 'slave';
  readonly host: string;
  readonly port: number;
  /** The node of the registry that it runs on; undefined: none that is known. */
  readonly node?: string;
  /** Sessions begin with a head of the PROXY protocol; undefined: they do not. */
  readonly sendProxy?: SendProxy;
}

export interface MysqlPromoteConfig {
  /** Account that may set read_only and what a server replicates from. */
  readonly user: string;
  readonly password: string;
  /** Account that slaves log in to their master with; undefined: Vane makes nobody a slave. */
  readonly replication: { readonly user: string; readonly password: string } | undefined;
  readonly maxLag: number;
  /** For a slave to execute what it has received. */
  readonly applyWait: number;
  readonly blockFor: number;
  /** A dead master is only replaced once a program has made sure that it stays dead. */
  readonly requireFence: boolean;
  readonly hookTimeout: number;
  readonly hooks: MysqlHooks;
}

/** Programs with their arguments. Undefined: none. */
export type MysqlHooks = Readonly<Record<MysqlHook, readonly string[] | undefined>>;
export type MysqlHook = 'pre' | 'fence' | 'promote' | 'post' | 'failed';
