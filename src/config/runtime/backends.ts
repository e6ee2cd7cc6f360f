import type { BalanceAlgorithm } from './balance.ts';
import type { ServerSource } from './servers.ts';

export interface BackendConfig {
  readonly name: string;
  readonly mode: 'http' | 'tcp';
  readonly balance: BalanceAlgorithm;
  readonly servers: readonly ServerSource[];
  /** Attempts after the first. */
  readonly retries: number;
  /** False: retries stay on the server that was picked first. */
  readonly redispatch: boolean;
  readonly timeout: {
    readonly connect: number;
    readonly server: number;
    /** Waiting for a free server. */
    readonly queue: number;
    readonly tunnel: number;
    readonly check: number | undefined;
  };
  /** Requests waiting for a server, at most; 0: 1024. */
  readonly maxqueue: number;
  /** Below this percentage of servers that are up all are used, those that are down too; 0, the default: never. */
  readonly panicThreshold?: number;
  /** Active HTTP check sent instead of a bare connect. */
  readonly httpchk: { readonly method: string; readonly uri: string } | undefined;
}
