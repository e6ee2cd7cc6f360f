import type { DatabaseSync } from 'node:sqlite';
import type { Cancel } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { VaneError } from '../../core/errors.ts';
import { fold } from '../fold.ts';
import type { Cause, Change, Committed, Indexed, StoreSnapshot } from '../model.ts';
import type { RegistryStore } from '../store.ts';
import { decodeCheck, decodeInstance, decodeNode, encodeRow } from './rows.ts';
import { asStoreError, openDatabase } from './sqlite-file.ts';

/** A store in one SQLite file, durable across crashes of process and machine. The file is opened by `load`. */
export function openSqliteStore(file: string): RegistryStore {
  return new SqliteStore(file);
}

interface Pending {
  readonly changes: readonly Change[];
  readonly cause: Cause;
  readonly resolve: (index: number) => void;
  readonly reject: (error: VaneError) => void;
}

/** Commits of one transaction: what it costs is to wait for the disk, and that once. */
const MOST_AT_ONCE = 500;
const MOST_WAITING = 10_000;

/** The rules of `tables.ts` in SQL: equal rows are left alone, and so is what has lost its node or service. */
const PUT_NODE = `
  INSERT INTO node VALUES (?1, ?2, ?3, ?3)
  ON CONFLICT DO UPDATE SET body = excluded.body, modify_index = excluded.modify_index
  WHERE body <> excluded.body`;
const PUT_SERVICE = `
  INSERT INTO service
  SELECT ?1, ?2, ?3, ?4, ?4 WHERE EXISTS (SELECT 1 FROM node WHERE node = ?1)
  ON CONFLICT DO UPDATE SET body = excluded.body, modify_index = excluded.modify_index
  WHERE body <> excluded.body`;
const PUT_CHECK = `
  INSERT INTO "check"
  SELECT ?1, ?2, ?3, ?4, ?5, ?5
  WHERE EXISTS (SELECT 1 FROM node WHERE node = ?1)
    AND (?3 IS NULL OR EXISTS (SELECT 1 FROM service WHERE node = ?1 AND id = ?3))
  ON CONFLICT DO UPDATE SET
    service = excluded.service, body = excluded.body, modify_index = excluded.modify_index
  WHERE body <> excluded.body`;

class SqliteStore implements RegistryStore {
  readonly shared = false;
  readonly #file: string;
  readonly #committed = new Emitter<Committed>();
  readonly #pending: Pending[] = [];
  #db: DatabaseSync | undefined;
  #statements: ReturnType<typeof prepare> | undefined;
  #index = 1;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  async load(): Promise<StoreSnapshot> {
    this.#db ??= openDatabase(this.#file);
    try {
      this.#statements ??= prepare(this.#db);
      const snapshot = readAll(this.#db);
      this.#index = snapshot.index;
      return snapshot;
    } catch (error) {
      throw asStoreError(error, this.#file);
    }
  }

  /** Waits for the end of the turn, so that what is asked for at the same time is made durable together. */
  commit(changes: readonly Change[], cause: Cause): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.#db) return reject(new VaneError('STORE_FAILED', 'the registry store is not open'));
      if (this.#pending.length >= MOST_WAITING) {
        return reject(new VaneError('STORE_FAILED', 'too many changes of the registry are waiting'));
      }
      this.#pending.push({ changes, cause, resolve, reject });
      this.#schedule();
    });
  }

  onCommitted(fn: (committed: Committed) => void): Cancel {
    return this.#committed.on(fn);
  }

  async close(): Promise<void> {
    while (this.#pending.length > 0) this.#commitPending();
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    this.#db?.close();
    this.#db = undefined;
    this.#statements = undefined;
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
    const stored = this.#store(batch);
    for (const [i, { changes, cause, resolve, reject }] of batch.entries()) {
      const outcome = stored[i];
      if (typeof outcome !== 'number') {
        reject(outcome ?? new VaneError('STORE_FAILED', 'the registry store is not open'));
        continue;
      }
      this.#committed.emit({ index: outcome, changes, cause });
      resolve(outcome);
    }
  }

  /** One transaction; returns the index or the error of each commit, once those with an index are on the disk. */
  #store(batch: readonly Pending[]): readonly (number | VaneError)[] {
    const db = this.#db;
    const statements = this.#statements;
    if (!db || !statements) return [];
    try {
      db.exec('BEGIN IMMEDIATE');
      let index = this.#index;
      const outcomes = batch.map(({ changes }) => {
        const failure = this.#within(db, () => {
          for (const change of changes) run(statements, change, index + 1);
        });
        if (failure) return failure;
        index += 1;
        return index;
      });
      statements.setIndex.run(index);
      db.exec('COMMIT');
      this.#index = index;
      return outcomes;
    } catch (error) {
      const failure = this.#failure(error);
      try {
        if (db.isTransaction) db.exec('ROLLBACK');
      } catch (cause) {
        return batch.map(() => this.#failure(cause));
      }
      return batch.map(() => failure);
    }
  }

  /** One commit of several in a transaction: undone alone if it fails. */
  #within(db: DatabaseSync, work: () => void): VaneError | undefined {
    db.exec('SAVEPOINT one');
    try {
      work();
      db.exec('RELEASE one');
      return undefined;
    } catch (error) {
      db.exec('ROLLBACK TO one; RELEASE one');
      return this.#failure(error);
    }
  }

  /** Whatever it is, for the writer it means that nothing was stored. */
  #failure(error: unknown): VaneError {
    const { message } = asStoreError(error, this.#file);
    return new VaneError('STORE_FAILED', message, { cause: error });
  }
}

function prepare(db: DatabaseSync) {
  return {
    putNode: db.prepare(PUT_NODE),
    putService: db.prepare(PUT_SERVICE),
    putCheck: db.prepare(PUT_CHECK),
    deleteNode: db.prepare('DELETE FROM node WHERE node = ?'),
    deleteService: db.prepare('DELETE FROM service WHERE node = ? AND id = ?'),
    deleteCheck: db.prepare('DELETE FROM "check" WHERE node = ? AND id = ?'),
    setIndex: db.prepare('UPDATE last_commit SET commit_index = ?'),
  };
}

function run(statements: ReturnType<typeof prepare>, change: Change, index: number): void {
  switch (change.op) {
    case 'put-node': {
      const { node } = change;
      statements.putNode.run(fold(node.node), encodeRow(node), index);
      return;
    }
    case 'put-service': {
      const { service } = change;
      statements.putService.run(fold(service.node), fold(service.id), encodeRow(service), index);
      return;
    }
    case 'put-check': {
      const { check } = change;
      const service = check.serviceId === '' ? null : fold(check.serviceId);
      statements.putCheck.run(fold(check.node), fold(check.id), service, encodeRow(check), index);
      return;
    }
    case 'delete-node':
      statements.deleteNode.run(fold(change.node));
      return;
    case 'delete-service':
      statements.deleteService.run(fold(change.node), fold(change.id));
      return;
    case 'delete-check':
      statements.deleteCheck.run(fold(change.node), fold(change.id));
  }
}

function readAll(db: DatabaseSync): StoreSnapshot {
  const last = db.prepare('SELECT commit_index FROM last_commit').get()?.commit_index;
  if (typeof last !== 'number')
    throw new VaneError('STORE_CORRUPT', 'the index of the last commit is missing');
  return {
    index: last,
    nodes: rowsOf(db, 'SELECT *, node AS name FROM node ORDER BY node', decodeNode),
    services: rowsOf(
      db,
      `SELECT *, node || '/' || id AS name FROM service ORDER BY node, id`,
      decodeInstance,
    ),
    checks: rowsOf(db, `SELECT *, node || '/' || id AS name FROM "check" ORDER BY node, id`, decodeCheck),
  };
}

function rowsOf<T extends object>(
  db: DatabaseSync,
  sql: string,
  decode: (what: string, body: string) => T,
): (T & Indexed)[] {
  return db
    .prepare(sql)
    .all()
    .map((row) => {
      const what = `a row (${row.name}) of the registry`;
      const { body, create_index: createIndex, modify_index: modifyIndex } = row;
      if (typeof body !== 'string' || typeof createIndex !== 'number' || typeof modifyIndex !== 'number') {
        throw new VaneError('STORE_CORRUPT', `${what} is not what it should be`);
      }
      return { ...decode(what, body), createIndex, modifyIndex };
    });
}
