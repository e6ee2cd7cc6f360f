import type { Cancel } from '../core/clock.ts';
import type { Cause, Change, Committed, StoreSnapshot } from './model.ts';

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
  /** Commits `changes` atomically; resolves to the commit's index. */
  commit(changes: readonly Change[], cause: Cause): Promise<number>;
  onCommitted(fn: (committed: Committed) => void): Cancel;
  close(): Promise<void>;
}
