import type { DatabaseSync } from 'node:sqlite';
import { fold } from '../fold.ts';
import type { Change } from '../model.ts';
import { encodeRow } from './rows.ts';
import { prepareKv, runKv } from './sqlite-kv.ts';
import { endSession, endSessions, prepareSessions, putSession } from './sqlite-sessions.ts';

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

const PUT_QUERY = `
  INSERT INTO query
  SELECT ?1, ?2, ?3, ?4, ?4 WHERE ?2 IS NULL OR EXISTS (SELECT 1 FROM session WHERE id = ?2)
  ON CONFLICT DO UPDATE SET
    session = excluded.session, body = excluded.body, modify_index = excluded.modify_index
  WHERE body <> excluded.body`;

/** What {@link run} needs, made once per opening of the file. */
export function prepare(db: DatabaseSync) {
  return {
    putNode: db.prepare(PUT_NODE),
    putService: db.prepare(PUT_SERVICE),
    putCheck: db.prepare(PUT_CHECK),
    deleteNode: db.prepare('DELETE FROM node WHERE node = ?'),
    deleteService: db.prepare('DELETE FROM service WHERE node = ? AND id = ?'),
    deleteCheck: db.prepare('DELETE FROM "check" WHERE node = ? AND id = ?'),
    ...prepareSessions(db),
    ...prepareKv(db),
    putQuery: db.prepare(PUT_QUERY),
    deleteQuery: db.prepare('DELETE FROM query WHERE id = ?'),
    setIndex: db.prepare('UPDATE last_commit SET commit_index = ?'),
  };
}

export type Statements = ReturnType<typeof prepare>;

/** Does to the file what the change means. */
export function run(statements: Statements, change: Change, index: number): void {
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
      const node = fold(check.node);
      const id = fold(check.id);
      const { changes } = statements.putCheck.run(node, id, service, encodeRow(check), index);
      if (changes === 0 || check.status !== 'critical') return;
      endSessions(statements, statements.sessionsNaming.all(node, id), index);
      return;
    }
    case 'delete-node': {
      const node = fold(change.node);
      endSessions(statements, statements.sessionsOfNode.all(node), index);
      statements.deleteNode.run(node);
      return;
    }
    case 'delete-service': {
      const node = fold(change.node);
      const id = fold(change.id);
      endSessions(statements, statements.sessionsOfService.all(node, id), index);
      statements.deleteService.run(node, id);
      return;
    }
    case 'delete-check': {
      const node = fold(change.node);
      const id = fold(change.id);
      endSessions(statements, statements.sessionsNaming.all(node, id), index);
      statements.deleteCheck.run(node, id);
      return;
    }
    case 'put-session':
      putSession(statements, change.session, index);
      return;
    case 'delete-session':
      endSession(statements, change.id, index);
      return;
    case 'put-query': {
      const { id, session } = change.query;
      statements.putQuery.run(id, session === '' ? null : session, encodeRow(change.query), index);
      return;
    }
    case 'delete-query':
      statements.deleteQuery.run(change.id);
      return;
    default:
      runKv(statements, change, index);
  }
}
