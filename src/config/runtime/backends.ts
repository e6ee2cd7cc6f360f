import type { BalanceAlgorithm } from './balance.ts';
import type { DialogueCheck, HttpCheck } from './server-checks.ts';
import type { ServerSource } from './servers.ts';
import type { StickinessConfig } from './stickiness.ts';

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
  /** What is tried again besides connections that fail; undefined: safe requests without an answer. */
  readonly retryOn?: RetryOn | undefined;
  /** Undefined: any number of retries. */
  readonly retryBudget?: RetryBudgetConfig | undefined;
  /** Undefined: a request waits for the server that it was given. */
  readonly hedge?: HedgeConfig | undefined;
  /** Bytes of a request's body that are kept so that it can be sent again. */
  readonly bufsize?: number;
  /** Undefined: whatever work meets at a server, the next may go there. */
  readonly outlier?: OutlierConfig | undefined;
  /** Work under way and waiting from which on servers with a `minconn` have their whole `maxconn`. */
  readonly fullconn?: number;
  /** Work under way on all servers together, at most; undefined: no limit. */
  readonly maxConnections?: number | undefined;
  /** Undefined: any work may go to any server. */
  readonly stickiness?: StickinessConfig | undefined;
  /** Active checks are HTTP requests instead of bare connects. */
  readonly httpchk: HttpCheck | undefined;
  /** Or they speak another protocol. */
  readonly dialogue?: DialogueCheck | undefined;
  /** All backups of the best tier are used at once, not only the first one. */
  readonly allBackups?: boolean;
}

/** HAProxy's `retry-on` (configuration manual, section 4.2); a connection that fails is `connFailure`. */
export interface RetryOn {
  readonly connFailure: boolean;
  readonly emptyResponse: boolean;
  readonly junkResponse: boolean;
  readonly responseTimeout: boolean;
  readonly statuses: readonly number[];
}

/** Of the requests of ten seconds so many percent may be tried again, and so many a second besides. */
export interface RetryBudgetConfig {
  readonly percent: number;
  readonly perSecond: number;
}

/** When a request that is slow to be answered is sent to another server besides. */
export interface HedgeConfig {
  /** It has waited longer than this share of the requests of late had to, 0 to 1, */
  readonly quantile: number;
  /** and so many ms. */
  readonly least: number;
}

/** When a server is left alone for a while. */
export interface OutlierConfig {
  /** Errors in a row; undefined: only connections that fail, and answers that do not come, count. */
  readonly errors: number | undefined;
  /** For how long at first, ms. */
  readonly time: number;
  /** Of the servers that may be out for their errors at once, percent; one always may. */
  readonly max: number;
}
