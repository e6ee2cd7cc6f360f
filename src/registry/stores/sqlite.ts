import type { DatabaseSync } from 'node:sqlite';
import type { Cancel } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { VaneError } from '../../core/errors.ts';
import { fold } from '../fold.ts';
import type { Cause, Change, Committed, PutCheck, StoreSnapshot } from '../model.ts';
import type { RegistryStore } from '../store.ts';
import { asStoreError, isOfSqlite, openDatabase } from './sqlite-file.ts';
import { readAll } from './sqlite-read.ts';
import { prepare, run, type Statements } from './sqlite-write.ts';

/** A store in one SQLite file, durable across crashes of process and machine. The file is opened by `load`. */
export function openSqliteStore(file: string): RegistryStore {
  return new SqliteStore(file);
}

interface Pending {
  readonly changes: readonly Change[];
  readonly cause: Cause;
  /** The same, where it is reports alone: they take effect whether they can be stored or not. */
  readonly reports: readonly PutCheck[] | undefined;
  /** The index is this or more. */
  readonly least: number;
  readonly resolve: (index: number) => void;
  readonly reject: (error: VaneError) => void;
}

interface Unstored {
  readonly report: PutCheck;
  readonly index: number;
}

/** Commits of one transaction: what it costs is to wait for the disk, and that once. */
const MOST_AT_ONCE = 500;
const MOST_WAITING = 10_000;

/**
 * The file says how far indexes may have gone, not how far they have: what took effect without being stored has
 * an index too, and after a crash none may come a second time. So they rise by this much then.
 */
const INDEXES_AHEAD = 1_000_000;

class SqliteStore implements RegistryStore {
  readonly shared = false;
  readonly #file: string;
  readonly #committed = new Emitter<Committed>();
  readonly #pending: Pending[] = [];
  /**
   * Reports that took effect but are not in the file, in the order of their indexes: of each check the latest, and the
   * latest critical one, which has ended the sessions that name the check.
   */
  readonly #unstored = new Map<string, Unstored>();
  #db: DatabaseSync | undefined;
  #statements: Statements | undefined;
  #index = 1;
  /** What the file says. */
  #highestIndex = 1;
  #trouble: VaneError | undefined;
  #failures = 0;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  get trouble(): VaneError | undefined {
    return this.#trouble;
  }

  get failures(): number {
    return this.#failures;
  }

  async load(): Promise<StoreSnapshot> {
    this.#db ??= openDatabase(this.#file);
    try {
      this.#statements ??= prepare(this.#db);
      const snapshot = readAll(this.#db);
      this.#index = snapshot.index;
      this.#highestIndex = snapshot.index;
      return snapshot;
    } catch (error) {
      throw asStoreError(error, this.#file);
    }
  }

  commit(changes: readonly Change[], cause: Cause, least = 0): Promise<number> {
    return this.#commit(changes, undefined, cause, least);
  }

  commitReports(reports: readonly PutCheck[], cause: Cause): Promise<number> {
    return this.#commit(reports, reports, cause, 0);
  }

  async settle(): Promise<void> {
    // A write that changes nothing would not go to the disk, and so not tell how that is.
    this.#store([], this.#highestIndex + 1);
  }

  onCommitted(fn: (committed: Committed) => void): Cancel {
    return this.#committed.on(fn);
  }

  async close(): Promise<void> {
    while (this.#pending.length > 0) this.#commitPending();
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    // Should this fail, it has been told before, and the file is as a crash would leave it.
    if (this.#unstored.size > 0 || this.#highestIndex !== this.#index) this.#store([], this.#index);
    this.#db?.close();
    this.#db = undefined;
    this.#statements = undefined;
  }

  /** Waits for the end of the turn, so that what is asked for at the same time is made durable together. */
  #commit(
    changes: readonly Change[],
    reports: readonly PutCheck[] | undefined,
    cause: Cause,
    least: number,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.#db) return reject(new VaneError('STORE_FAILED', 'the registry store is not open'));
      if (this.#pending.length >= MOST_WAITING) {
        return reject(new VaneError('STORE_FAILED', 'too many changes of the registry are waiting'));
      }
      this.#pending.push({ changes, reports, cause, least, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#commitPending();
      if (this.#pending.length > 0) this.#schedule();
    });
  }

  #commitPending(): void {
    const batch = this.#pending.splice(0, MOST_AT_ONCE);
    const needed = batch.reduce((index, { least }) => Math.max(index + 1, least), this.#index);
    const ahead = needed + INDEXES_AHEAD / 2 > this.#highestIndex;
    const outcomes = this.#store(batch, ahead ? needed + INDEXES_AHEAD : this.#highestIndex);
    for (const [i, { changes, cause, resolve, reject }] of batch.entries()) {
      const outcome = outcomes[i];
      if (typeof outcome !== 'number') {
        reject(outcome ?? new VaneError('STORE_FAILED', 'the registry store is not open'));
        continue;
      }
      this.#committed.emit({ index: outcome, changes, cause });
      resolve(outcome);
    }
  }

  /**
   * One transaction, with all that an earlier one could not store; returns the index of each commit that takes
   * effect, and the error of each that does not.
   */
  #store(batch: readonly Pending[], highestIndex: number): readonly (number | VaneError)[] {
    const db = this.#db;
    const statements = this.#statements;
    if (!db || !statements) return [];
    try {
      db.exec('BEGIN IMMEDIATE');
      for (const { report, index } of this.#unstored.values()) run(statements, report, index);
      let index = this.#index;
      const outcomes = batch.map(({ changes, least }) => {
        const next = Math.max(index + 1, least);
        const failure = this.#within(db, () => {
          for (const change of changes) run(statements, change, next);
        });
        if (failure) return failure;
        index = next;
        return index;
      });
      statements.setIndex.run(highestIndex);
      db.exec('COMMIT');
      this.#index = index;
      this.#highestIndex = highestIndex;
      this.#unstored.clear();
      this.#trouble = undefined;
      return outcomes;
    } catch (error) {
      const trouble = this.#rolledBack(db, error);
      this.#trouble = trouble;
      this.#failures += 1;
      return batch.map(({ reports }) => (reports ? this.#keep(reports) : trouble));
    }
  }

  /** One commit of several in a transaction: undone alone if its changes are no rows, which is no fault of the file. */
  #within(db: DatabaseSync, work: () => void): VaneError | undefined {
    db.exec('SAVEPOINT one');
    try {
      work();
      db.exec('RELEASE one');
      return undefined;
    } catch (error) {
      if (isOfSqlite(error)) throw error;
      db.exec('ROLLBACK TO one; RELEASE one');
      return this.#failure(error);
    }
  }

  #rolledBack(db: DatabaseSync, thrown: unknown): VaneError {
    try {
      // Where the disk is full, SQLite may have done so by itself.
      if (db.isTransaction) db.exec('ROLLBACK');
    } catch (error) {
      return this.#failure(error);
    }
    return this.#failure(thrown);
  }

  /** Returns the index at which they take effect. */
  #keep(reports: readonly PutCheck[]): number {
    this.#index += 1;
    for (const report of reports) {
      const { node, id, status } = report.check;
      const key = `${fold(node)}\0${fold(id)}\0${status === 'critical'}`;
      this.#unstored.delete(key);
      this.#unstored.set(key, { report, index: this.#index });
    }
    return this.#index;
  }

  /** Whatever it is, for the writer it means that nothing was stored. */
  #failure(error: unknown): VaneError {
    const { message } = asStoreError(error, this.#file);
    return new VaneError('STORE_FAILED', message, { cause: error });
  }
}
