import type { Cause, Change } from '../model.ts';

/** What a node says of itself to the others. */
export interface MemberFacts {
  readonly node: string;
  readonly address: string;
}

/** A process that has a place among the nodes, or had one. */
export interface Member extends MemberFacts {
  /** Id of its process. */
  readonly pid: number;
  /** Of its machine. */
  readonly host: string;
  /** Wall-clock ms at which it took its lease. */
  readonly since: number;
  /** ms until its lease lapses; below 0: since it has. */
  readonly left: number;
  /** It has stopped, and another process may take its place. */
  readonly released: boolean;
}

/** What a node is told when it renews its lease. */
export interface Standing {
  readonly kind: 'held';
  /** The last commit that there is. */
  readonly index: number;
  /** Undefined: another node leads, or nobody does. */
  readonly token: string | undefined;
  readonly leader: string | undefined;
  /** ms until somebody else may lead, unless the leader renews. */
  readonly leaderLeft: number;
  /** ms for which nodes have been able to renew without a gap. */
  readonly steady: number;
  /** Names of nodes whose leases have not lapsed, in lower case. */
  readonly live: ReadonlySet<string>;
  /** ms until the first of those lapses that is not renewed. */
  readonly nextLapse: number;
  /** Sessions that have not been renewed in time. */
  readonly due: readonly string[];
  /** ms until the next one is; undefined: none is watched. */
  readonly nextDue: number | undefined;
  /** Sessions that are watched. */
  readonly watched: number;
}

/** Another live process has this name. */
export interface Refused {
  readonly kind: 'refused';
  readonly by: Member;
  /** Changes whenever that one renews its lease. */
  readonly renewal: string;
}

/** How far behind the others this process is. */
export interface StoreBacklog {
  /** ms since when commits of others may be missing here; 0: they are not. */
  readonly behindMs: number;
  /** Commits that took effect here alone, until all have them. */
  readonly unsent: number;
}

/** What must still be so at the moment a leader's commit is made. */
export type Condition =
  /** Nothing but that. */
  | { readonly kind: 'leads' }
  /** A node's lease has lapsed, and that many ms ago. */
  | { readonly kind: 'lapsed'; readonly node: string; readonly ms: number }
  /** A session has not been renewed in time. */
  | { readonly kind: 'due'; readonly session: string };

/** A key that nobody may lock for so many ms. */
export interface LockDelay {
  readonly key: string;
  readonly ms: number;
}

/** The lock-delays that run, where all who share a registry can see them. Both reject with STORE_FAILED while it is away. */
export interface SharedLockDelays {
  delayLocks(delays: readonly LockDelay[]): Promise<void>;
  /** Those of some keys, without those that are not delayed. */
  lockDelays(keys: readonly string[]): Promise<readonly LockDelay[]>;
}

/**
 * How the nodes of one registry agree on who is there and who leads, by one clock, which is not that of any of them.
 * All reject with STORE_FAILED while the store is away.
 */
export interface Coordination extends SharedLockDelays {
  /** ms; what is not renewed for so long has lapsed. */
  readonly lease: number;
  readonly backlog: StoreBacklog;
  /** Takes this node's lease or renews it, and the lead if nobody has it. */
  beat(me: MemberFacts): Promise<Standing | Refused>;
  /** Gives the lease up: another process may take it at once, and until it lapses nobody minds that none has. */
  release(me: MemberFacts): Promise<void>;
  /** The node goes for good. */
  forget(node: string): Promise<void>;
  /** Forgets who had a lease that lapsed so many ms ago or longer: of one node, or of all (undefined). */
  forgetLapsed(ms: number, node: string | undefined): Promise<void>;
  /** By name. */
  members(): Promise<readonly Member[]>;
  /** Commits if this node leads under `token` and the condition holds then; resolves to whether it was so. */
  commitIf(token: string, condition: Condition, changes: readonly Change[], cause: Cause): Promise<boolean>;
  /** Has sessions be due in so many ms each; `again`: also those that are watched already. */
  watchSessions(
    sessions: readonly { readonly id: string; readonly ms: number }[],
    again: boolean,
  ): Promise<void>;
  unwatchSession(id: string): Promise<void>;
  /** Has a session be due in so many ms; resolves to false if it has ended. */
  renewSession(id: string, ms: number): Promise<boolean>;
}
