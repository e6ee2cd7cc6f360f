import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { VaneError } from '../../core/errors.ts';
import type { Indexed, KvEntry, StoreSnapshot } from '../model.ts';
import { decodeCheck, decodeInstance, decodeNode, decodeQuery, decodeSession } from './rows.ts';

/** Everything the file holds. Throws STORE_CORRUPT for what is no such row. */
export function readAll(db: DatabaseSync): StoreSnapshot {
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
    sessions: rowsOf(db, 'SELECT *, id AS name FROM session ORDER BY id', decodeSession),
    queries: rowsOf(db, 'SELECT *, id AS name FROM query ORDER BY id', decodeQuery),
    kv: db.prepare('SELECT * FROM kv ORDER BY key').all().map(kvEntry),
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

function kvEntry(row: Record<string, SQLOutputValue>): KvEntry {
  const { key, value, flags, session } = row;
  const { lock_index: lockIndex, create_index: createIndex, modify_index: modifyIndex } = row;
  if (
    !(key instanceof Uint8Array && value instanceof Uint8Array && typeof flags === 'string') ||
    !(typeof lockIndex === 'number' && typeof createIndex === 'number' && typeof modifyIndex === 'number')
  ) {
    throw new VaneError('STORE_CORRUPT', 'a key of the registry is not what it should be');
  }
  return {
    key: Buffer.from(key).toString(),
    value,
    flags,
    lockIndex,
    session: typeof session === 'string' ? session : '',
    createIndex,
    modifyIndex,
  };
}
