import type { BindAddress } from './binds.ts';

/** An endpoint that leads to the MySQL master. Durations are ms. */
export interface MysqlVipConfig {
  readonly name: string;
  readonly bind: readonly BindAddress[];
  readonly bindRo: readonly BindAddress[];
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
    readonly mode: 'degrade';
    /** How long a slave that still hears from the master keeps clients from being led away. */
    readonly unreachableWait: number;
    readonly maxStale: number;
  };
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
}
