import { VaneError } from '../../../core/errors.ts';
import { Catalog } from '../../catalog.ts';
import type { StoreSnapshot } from '../../model.ts';
import type { CatalogReader } from '../../reader.ts';
import { snapshotOf } from '../../snapshot-rows.ts';
import type { CommitLog, LogEntry } from './log.ts';
import type { Outcome } from './pending-commits.ts';
import { rowOf } from './row-names.ts';

/** Where a row was written last. */
export interface Writing {
  readonly index: number;
  readonly uid: string;
}

/** The registry as it is in Redis, read beside the one that is in use. */
export class Replay {
  readonly #log: CommitLog;
  readonly #catalog: Catalog;
  /** Of all commits since the snapshot, by id. */
  readonly #uids = new Map<string, Outcome>();
  /** Of each row, the last commit since the snapshot that wrote or deleted it. */
  readonly #written = new Map<string, Writing>();
  /** Indexes of commits that put back rows of a lost registry, and up to where their writers knew that one. */
  readonly #putBack = new Map<number, number>();
  #since = 0;
  #index = 0;
  #uid = '';

  private constructor(log: CommitLog, self: string) {
    this.#log = log;
    this.#catalog = new Catalog({ self, datacenter: '', onListenerError: () => {} });
  }

  /** Reads all there is. Rejects with STORE_FAILED when it changes faster than it can be read. */
  static async read(log: CommitLog, self: string): Promise<Replay> {
    const replay = new Replay(log, self);
    const snapshot = await log.snapshot();
    replay.#catalog.reset(snapshot);
    replay.#since = snapshot.index;
    replay.#index = snapshot.index;
    await replay.goOn();
    return replay;
  }

  /** The index of the snapshot it was read from: of commits up to that it knows no ids. */
  get since(): number {
    return this.#since;
  }

  get index(): number {
    return this.#index;
  }

  /** The id of the last commit; empty: there has been none since the snapshot. */
  get uid(): string {
    return this.#uid;
  }

  get catalog(): CatalogReader {
    return this.#catalog;
  }

  /** What became of a commit; undefined if it is not there. */
  outcomeOf(uid: string): Outcome | undefined {
    return this.#uids.get(uid);
  }

  /** The commit that wrote or deleted a row ({@link rowOf}) last; undefined: none has since the snapshot. */
  lastWriting(row: string): Writing | undefined {
    return this.#written.get(row);
  }

  /** Of a commit that put back rows of a lost registry, the last commit of that one that its writer knew. */
  putBackAsOf(index: number): number | undefined {
    return this.#putBack.get(index);
  }

  rows(): StoreSnapshot {
    return { ...snapshotOf(this.#catalog), index: this.#index };
  }

  /** Reads what has come since. Rejects with STORE_FAILED where some of it is not there any more. */
  async goOn(): Promise<void> {
    for (;;) {
      const entries = await this.#log.after(this.#index);
      for (const entry of entries) this.#take(entry);
      if (entries.length === 0) return;
    }
  }

  #take({ index, after, uid, changes, cause, expects, asOf }: LogEntry): void {
    if (after !== this.#index) {
      // Cut off behind a newer snapshot, which is to be read from the start.
      throw new VaneError(
        'STORE_FAILED',
        `the log in Redis goes on after ${after}, not after ${this.#index}`,
      );
    }
    const effects = this.#catalog.apply({ index, changes, cause, expects });
    for (const effect of effects) this.#written.set(rowOf(effect), { index, uid });
    if (asOf !== undefined) this.#putBack.set(index, asOf);
    this.#uids.set(uid, { index, isVain: effects.length === 0 });
    this.#index = index;
    this.#uid = uid;
  }
}
