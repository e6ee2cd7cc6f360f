import type { DatabaseSync } from 'node:sqlite';
import type { Change } from '../model.ts';

const PUT_KV = `
  INSERT INTO kv
  SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6
  WHERE ?5 IS NULL OR EXISTS (SELECT 1 FROM session WHERE id = ?5)
  ON CONFLICT DO UPDATE SET
    value = excluded.value, flags = excluded.flags, lock_index = excluded.lock_index,
    session = excluded.session, modify_index = excluded.modify_index
  WHERE value <> excluded.value OR flags <> excluded.flags OR lock_index <> excluded.lock_index
    OR session IS NOT excluded.session`;

export function prepareKv(db: DatabaseSync) {
  return {
    putKv: db.prepare(PUT_KV),
    deleteKv: db.prepare('DELETE FROM kv WHERE key = ?1'),
    deleteKvTree: db.prepare('DELETE FROM kv WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1'),
  };
}

type KvChange = Extract<Change, { readonly op: 'put-kv' | 'delete-kv' | 'delete-kv-tree' }>;

export function runKv(statements: ReturnType<typeof prepareKv>, change: KvChange, index: number): void {
  switch (change.op) {
    case 'put-kv': {
      const { key, value, flags, lockIndex, session } = change.entry;
      const holder = session === '' ? null : session;
      statements.putKv.run(Buffer.from(key), value, flags, lockIndex, holder, index);
      return;
    }
    case 'delete-kv':
      statements.deleteKv.run(Buffer.from(change.key));
      return;
    case 'delete-kv-tree':
      statements.deleteKvTree.run(Buffer.from(change.prefix));
  }
}
