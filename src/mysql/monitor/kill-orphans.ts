import type { KilledCounts, Orphan } from '../endpoint/orphans.ts';
import type { Row } from './reading.ts';

type Query = (sql: string) => Promise<readonly Row[]>;

/** Ids of one question. */
const AT_ONCE = 500;
const ER_NO_SUCH_THREAD = 1094;

/**
 * Ends sessions by their ids, where the server still has them and they come from where they did: without the grant
 * PROCESS it shows none of other accounts, and none is ended. Rejects when the connection breaks.
 */
export async function killOrphans(query: Query, orphans: readonly Orphan[]): Promise<KilledCounts> {
  const counts = { killed: 0, gone: 0, refused: 0 };
  for (let at = 0; at < orphans.length; at += AT_ONCE) {
    const some = orphans.slice(at, at + AT_ONCE);
    const ids = some.map(({ threadId }) => threadId).join(',');
    const rows = await query(
      `SELECT ID AS id, HOST AS host FROM information_schema.PROCESSLIST WHERE ID IN (${ids})`,
    );
    const hosts = new Map(rows.map(({ id, host }) => [Number(id), String(host)]));
    for (const { threadId, port } of some) {
      const isThere = hosts.get(threadId)?.endsWith(`:${port}`);
      counts[isThere ? await kill(query, threadId) : 'gone']++;
    }
  }
  return counts;
}

async function kill(query: Query, threadId: number): Promise<keyof KilledCounts> {
  try {
    await query(`KILL CONNECTION ${threadId}`);
    return 'killed';
  } catch (error) {
    const { errno, fatal } = Object.assign({ errno: 0, fatal: false }, error);
    if (fatal) throw error;
    return errno === ER_NO_SUCH_THREAD ? 'gone' : 'refused';
  }
}
