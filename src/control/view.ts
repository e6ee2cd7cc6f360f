import type { ServerSnapshot } from '../balance/server.ts';
import type { ServerState } from '../balance/state.ts';
import type { Adjustment, OwnShare } from '../balance/weights.ts';
import type { BackendConfig } from '../config/runtime/backends.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { ConsulWatchView } from '../discovery/from-consul.ts';
import type { NameserverCounters } from '../dns/nameserver-counters.ts';
import type { ServerAgentFacts } from '../health/server-agents.ts';
import type { ServerCheckFacts } from '../health/server-check.ts';
import type { MysqlVipView } from '../mysql/view.ts';
import type { BackendCounters, FrontendCounters, ServerCounters } from '../proxy/plane/counters.ts';
import type { ClusterView } from '../registry/cluster/cluster.ts';
import type { TablePeersView } from './table-peers.ts';

/**
 * The whole system at one moment, for whoever shows it: statistics, metrics, explanations. Built on demand from
 * what control knows and what the data plane has counted; nothing in it outlives the servers it is about.
 */
export interface SystemView {
  /** Clock ms at which it was put together: all `…since` are on the same clock. */
  readonly at: number;
  /** Wall-clock ms of the same moment. */
  readonly wall: number;
  readonly process: ProcessView;
  /** In file order, as are backends. */
  readonly frontends: readonly FrontendView[];
  readonly backends: readonly BackendView[];
  readonly mysqlVips: readonly MysqlVipView[];
  /** The sections of that name. */
  readonly resolvers: readonly ResolverView[];
}

export interface ResolverView {
  readonly id: string;
  readonly nameservers: readonly {
    readonly name: string;
    readonly counters: Readonly<NameserverCounters>;
  }[];
  /** Of a section that follows a Consul: each thing asked there. */
  readonly watches: readonly ConsulWatchView[];
}

export interface ProcessView {
  readonly node: string;
  readonly version: string;
  readonly pid: number;
  /** Wall-clock ms. */
  readonly startedAt: number;
  readonly maxconn: number;
  /** Client connections open. */
  readonly connections: number;
  /** A graceful stop has begun. */
  readonly stopping: boolean;
  /** Configurations taken since start, the first included, and refused ones. */
  readonly reloads: { readonly taken: number; readonly refused: number };
  /**
   * Processes of the data plane: those at work, those that others have replaced and that finish what they have, and how
   * many were started in place of one that had ended. None with `workers: 0`.
   */
  readonly workers: { readonly running: number; readonly draining: number; readonly restarts: number };
  /** Whether the built-in registry stores what it is given; undefined without one. */
  readonly storing: { readonly works: boolean; readonly failures: number } | undefined;
  /** Of a registry that others share: this node's place among them; undefined of any other. */
  readonly cluster?: ClusterView | undefined;
  /** Undefined: no stick-table is shared with other nodes. */
  readonly tablePeers?: TablePeersView | undefined;
  /** Other datacenters that the registry asks; undefined without one. */
  readonly datacenters?: readonly DatacenterView[] | undefined;
}

/** What is known of another datacenter. */
export interface DatacenterView {
  readonly name: string;
  /** Undefined: it has not been asked yet. */
  readonly up: boolean | undefined;
  /** Times that it could not be asked. */
  readonly failures: number;
  /** Answers that were told again while it was away. */
  readonly stale: number;
  /** ms since its last answer; undefined before the first. */
  readonly age: number | undefined;
}

export interface FrontendView {
  readonly counters: FrontendCounters;
  readonly status: 'OPEN' | 'STOP';
}

export interface BackendView {
  readonly config: BackendConfig;
  readonly counters: BackendCounters;
  /** It has a server that takes new work. */
  readonly up: boolean;
  /** Clock ms of the last change of `up`. */
  readonly since: number;
  /** Times it went down, and ms it has been down in all, now included. */
  readonly downs: number;
  readonly downtime: number;
  /** By name. */
  readonly servers: readonly ServerView[];
  /** One for each `domain:` of the backend. */
  readonly names: readonly NameView[];
  readonly drains: DrainCounters;
  /** Whether so few servers are up that all are used, since when (clock ms), and how often that has begun. */
  readonly panic: { readonly active: boolean; readonly since: number; readonly entered: number };
}

export interface ServerView {
  readonly snapshot: ServerSnapshot;
  readonly state: ServerState;
  /** Undefined until the plane has heard of it. */
  readonly counters: ServerCounters | undefined;
  /** Undefined: not checked by the load balancer. */
  readonly check: ServerCheckFacts | undefined;
  /** Undefined: it has no agent. */
  readonly agent?: ServerAgentFacts | undefined;
  /** What its source says of its share, and what else is said of it; undefined: nothing. */
  readonly own?: OwnShare | undefined;
  readonly share?: Adjustment | undefined;
  /** Times it stopped taking work, and ms it has not taken any in all, now included. */
  readonly downs: number;
  readonly downtime: number;
}

/** What is known of one name and how its look-ups went. */
export interface NameView {
  readonly domain: string;
  readonly resolvers: string;
  /** Servers in the last good answer; undefined before the first. */
  readonly servers: number | undefined;
  /** ms since the last good answer; undefined before the first. */
  readonly age: number | undefined;
  /** Why the last look-up failed; undefined if it did not. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** Look-ups by how they ended: with servers, without any, not at all. */
  readonly results: { readonly ok: number; readonly empty: number; readonly failed: number };
  /** An empty answer is being held back by `on-empty`. */
  readonly kept: boolean;
  /** Servers that have vanished and stay for now: `max-removal`. */
  readonly held: number;
  /** Nobody has answered for so long that what is known may be wrong by now. */
  readonly stale: boolean;
  /** Nobody has answered yet, and what was known before the start is used. */
  readonly hint: boolean;
}

/** The drains of one backend, counted over all its servers, gone ones included. */
export interface DrainCounters {
  readonly started: number;
  /** Ended because nothing was under way any more. */
  readonly finished: number;
  /** Ended by the deadline. */
  readonly expired: number;
  /** Taken back before they had ended. */
  readonly cancelled: number;
}
