import type { Cancel } from '../core/clock.ts';
import type { VaneError } from '../core/errors.ts';
import type { Coordination } from './cluster/coordination.ts';
import type { Expectation } from './expectations.ts';
import type { Cause, Change, Committed, PutCheck, StoreSnapshot } from './model.ts';

/**
 * Where commits are made durable and broadcast. Stores differ in nothing else: every process folds the same
 * commits into its own catalog and reads only from that.
 *
 * Obligations: indexes rise by at least one per commit and never repeat, across restarts too. A commit is
 * all or nothing, and its changes mean what `tables.ts` makes of them. Listeners hear every commit of every
 * process once, in index order, their own before `commit` resolves. `commit` resolves once the change is as
 * durable as the store makes it, and rejects with STORE_FAILED if nothing was stored. Commits may be asked for
 * while others are under way, and take effect in the order in which they were asked for.
 *
 * Left out on purpose: queries (the catalog's), validation and read-modify-write (the registry's commands).
 */
export interface RegistryStore {
  /** Whether other processes commit to it as well; if not, all that is found in it was written by this node. */
  readonly shared: boolean;
  /** Opens the store and returns all it holds. Rejects with STORE_CORRUPT rather than ever starting empty. */
  load(): Promise<StoreSnapshot>;
  /**
   * Commits `changes` atomically; resolves to the commit's index, which is `least` or more. A shared store passes
   * `expects` on with the commit: whether it took effect is for those to say who fold it.
   */
  commit(
    changes: readonly Change[],
    cause: Cause,
    least?: number,
    expects?: readonly Expectation[],
  ): Promise<number>;
  /**
   * Commits new states of checks that are there, and resolves to the commit's index. What a check has found must
   * not wait for a disk: what cannot be stored now takes effect all the same, is kept, and is stored with the next
   * commit or {@link settle} that can; until then a crash loses it. Rejects as `commit` does only while the store is
   * not open, or when too many commits wait.
   */
  commitReports(reports: readonly PutCheck[], cause: Cause): Promise<number>;
  /** Why the last attempt to store something failed; undefined once all that took effect is stored. */
  readonly trouble: VaneError | undefined;
  /** Attempts to store something that have failed so far. */
  readonly failures: number;
  /** Tries once more to store what is not; whether it went well is then in `trouble`. */
  settle(): Promise<void>;
  onCommitted(fn: (committed: Committed) => void): Cancel;
  /** Of a shared store: whose rows it speaks for. To be told before {@link load}. */
  readonly attach?: (host: StoreHost) => void;
  /** Of a shared store: how those who share it agree on who is there and who leads. */
  readonly coordination?: Coordination;
  close(): Promise<void>;
}

/** What a shared store needs of those who fold its commits. */
export interface StoreHost {
  /** The node that this process speaks for. */
  readonly self: string;
  /** All rows as they are now, with what took effect here alone. */
  snapshot(): StoreSnapshot;
  /** Whether a commit that expects this would take effect now. */
  isAsExpected(expects: readonly Expectation[]): boolean;
  /** Replaces all rows: commits were missed, or had not become those of everybody. */
  reset(snapshot: StoreSnapshot): void;
}
