import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { fold } from '../fold.ts';
import type { Session, Unindexed } from '../model.ts';
import { checksNamedBy } from '../session-table.ts';
import { encodeRow } from './rows.ts';

const PUT_SESSION = `
  INSERT INTO session
  SELECT ?1, ?2, ?3, ?4, ?4 WHERE EXISTS (SELECT 1 FROM node WHERE node = ?2)
  ON CONFLICT DO NOTHING`;

const SESSIONS_OF_SERVICE = `
  SELECT DISTINCT session FROM session_check
  JOIN "check" ON "check".node = session_check.node AND "check".id = session_check."check"
  WHERE "check".node = ?1 AND "check".service = ?2`;

export function prepareSessions(db: DatabaseSync) {
  return {
    putSession: db.prepare(PUT_SESSION),
    putSessionCheck: db.prepare('INSERT INTO session_check VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING'),
    checkStatus: db.prepare(`SELECT body ->> 'status' AS status FROM "check" WHERE node = ?1 AND id = ?2`),
    sessionsNaming: db.prepare('SELECT session FROM session_check WHERE node = ?1 AND "check" = ?2'),
    sessionsOfService: db.prepare(SESSIONS_OF_SERVICE),
    sessionsOfNode: db.prepare('SELECT id AS session FROM session WHERE node = ?1'),
    behavior: db.prepare(`SELECT body ->> 'behavior' AS behavior FROM session WHERE id = ?1`),
    deleteHeld: db.prepare('DELETE FROM kv WHERE session = ?1'),
    releaseHeld: db.prepare('UPDATE kv SET session = NULL, modify_index = ?2 WHERE session = ?1'),
    deleteSession: db.prepare('DELETE FROM session WHERE id = ?1'),
  };
}

type Statements = ReturnType<typeof prepareSessions>;

/** The rules of `tables.ts`: nothing, if there is such a session or what it needs is not there or critical. */
export function putSession(statements: Statements, session: Unindexed<Session>, index: number): void {
  const node = fold(session.node);
  const checks = checksNamedBy(session).map(fold);
  for (const check of checks) {
    const status = statements.checkStatus.get(node, check)?.status;
    if (status === undefined || status === 'critical') return;
  }
  const { changes } = statements.putSession.run(session.id, node, encodeRow(session), index);
  if (changes === 0) return;
  for (const check of checks) statements.putSessionCheck.run(session.id, node, check);
}

/** Ends sessions that a query has found. */
export function endSessions(
  statements: Statements,
  found: readonly Record<string, SQLOutputValue>[],
  index: number,
): void {
  for (const { session } of found) endSession(statements, String(session), index);
}

export function endSession(statements: Statements, id: string, index: number): void {
  const behavior = statements.behavior.get(id)?.behavior;
  if (behavior === 'delete') statements.deleteHeld.run(id);
  else statements.releaseHeld.run(id, index);
  statements.deleteSession.run(id);
}
