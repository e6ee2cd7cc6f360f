import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, VaneError } from '../../core/errors.ts';

/** "Vane" in ASCII, so that no other program's database is taken for ours. */
const APPLICATION_ID = 0x56616e65;
const SCHEMA_VERSION = 2;

/** What came with version 2. Keys of `kv` are bytes, as SQLite would end a text at a NUL here and there. */
const SESSIONS_AND_KV = `
  PRAGMA user_version = 2;
  CREATE TABLE session (
    id TEXT PRIMARY KEY,
    node TEXT NOT NULL REFERENCES node,
    body TEXT NOT NULL,
    create_index INTEGER NOT NULL,
    modify_index INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX session_node ON session (node);
  CREATE TABLE session_check (
    session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
    node TEXT NOT NULL,
    "check" TEXT NOT NULL,
    PRIMARY KEY (session, "check"),
    FOREIGN KEY (node, "check") REFERENCES "check" (node, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX session_check_check ON session_check (node, "check");
  CREATE TABLE kv (
    key BLOB PRIMARY KEY,
    value BLOB NOT NULL,
    flags TEXT NOT NULL,
    lock_index INTEGER NOT NULL,
    session TEXT REFERENCES session,
    create_index INTEGER NOT NULL,
    modify_index INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX kv_session ON kv (session) WHERE session IS NOT NULL;
  CREATE TABLE query (
    id TEXT PRIMARY KEY,
    session TEXT REFERENCES session ON DELETE CASCADE,
    body TEXT NOT NULL,
    create_index INTEGER NOT NULL,
    modify_index INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX query_session ON query (session) WHERE session IS NOT NULL;
`;

/** Keys are folded names; `body` is a row as `rows.ts` encodes it. */
const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  CREATE TABLE last_commit (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    commit_index INTEGER NOT NULL
  ) STRICT;
  INSERT INTO last_commit VALUES (1, 1);
  CREATE TABLE node (
    node TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    create_index INTEGER NOT NULL,
    modify_index INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE service (
    node TEXT NOT NULL REFERENCES node ON DELETE CASCADE,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    create_index INTEGER NOT NULL,
    modify_index INTEGER NOT NULL,
    PRIMARY KEY (node, id)
  ) STRICT;
  CREATE TABLE "check" (
    node TEXT NOT NULL REFERENCES node ON DELETE CASCADE,
    id TEXT NOT NULL,
    service TEXT,
    body TEXT NOT NULL,
    create_index INTEGER NOT NULL,
    modify_index INTEGER NOT NULL,
    PRIMARY KEY (node, id),
    FOREIGN KEY (node, service) REFERENCES service (node, id) ON DELETE CASCADE
  ) STRICT;
  CREATE INDEX check_service ON "check" (node, service);
  ${SESSIONS_AND_KV}
`;

/** For a predecessor that is just ending, ms. */
const BUSY_MS = 1000;

/**
 * Opens the registry's database, and creates it if there is none. It is this process's alone until it is closed
 * or the process ends, however that happens. Throws STORE_CORRUPT for a file that is damaged, empty or somebody
 * else's, and STORE_FAILED for one that cannot be used now.
 */
export function openDatabase(file: string): DatabaseSync {
  try {
    if (!existsSync(file)) create(file);
    if (statSync(file).size === 0) throw corrupt(file, 'it is empty');
    return open(file);
  } catch (error) {
    throw asStoreError(error, file);
  }
}

function open(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: BUSY_MS });
  try {
    // With an exclusive lock the write-ahead log needs no shared memory, and no second process gets in.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    if (pragma(db, 'application_id') !== APPLICATION_ID) throw corrupt(file, 'it is not a registry of Vane');
    const version = pragma(db, 'user_version');
    if (version !== SCHEMA_VERSION && version !== 1) {
      throw corrupt(file, `its schema is version ${version}, and this Vane knows version ${SCHEMA_VERSION}`);
    }
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    const found = db.prepare('PRAGMA quick_check(1)').get()?.quick_check;
    if (found !== 'ok') throw corrupt(file, String(found));
    if (db.prepare('PRAGMA foreign_key_check').get()) throw corrupt(file, 'rows are missing in it');
    if (version === 1) db.exec(`BEGIN IMMEDIATE; ${SESSIONS_AND_KV} COMMIT;`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Written beside its place and moved there when complete: a file that is there is never half made. */
function create(file: string): void {
  if (existsSync(`${file}-wal`)) throw corrupt(file, 'the file is missing, but its write-ahead log is there');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.new`;
  for (const leftover of [draft, `${draft}-journal`]) rmSync(leftover, { force: true });
  closeSync(openSync(draft, 'wx', 0o600));
  const db = new DatabaseSync(draft);
  try {
    db.exec(`PRAGMA synchronous = FULL; BEGIN; ${SCHEMA} COMMIT;`);
  } finally {
    db.close();
  }
  renameSync(draft, file);
  syncDirectory(dirname(file));
}

/** Makes a renaming in it durable. */
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function pragma(db: DatabaseSync, name: string): unknown {
  return db.prepare(`PRAGMA ${name}`).get()?.[name];
}

function corrupt(file: string, why: string): VaneError {
  return new VaneError(
    'STORE_CORRUPT',
    `the registry in ${file} cannot be used: ${why}. Restore it from a backup, or move it away to start anew`,
  );
}

/** SQLite's primary result codes: https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Says of any failure what it means for the store. */
export function asStoreError(thrown: unknown, file: string): VaneError {
  if (thrown instanceof VaneError) return thrown;
  const code = primaryCode(thrown);
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return corrupt(file, messageOf(thrown));
  const why = code === SQLITE_BUSY ? 'another process uses it' : messageOf(thrown);
  return new VaneError('STORE_FAILED', `the registry in ${file} failed: ${why}`, { cause: thrown });
}

/** Whether SQLite itself has failed, and not its caller. */
export function isOfSqlite(thrown: unknown): boolean {
  return primaryCode(thrown) !== undefined;
}

function primaryCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown)) return undefined;
  return typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined;
}
