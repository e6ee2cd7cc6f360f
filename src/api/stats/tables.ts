import type { TableView } from '../../control/stick-tables.ts';
import { messageOf } from '../../core/errors.ts';
import type { StickFilter } from '../../proxy/stick/table-question.ts';
import { callerOf, isLocal, isObject, type OperationsAnswer, said } from './operations.ts';

/** What is asked of the stick tables of the running process, and done with them; see `control/stick-tables.ts`. */
export interface TableOperations {
  readonly names: readonly string[];
  list(): Promise<readonly TableView[]>;
  show(name: string, which: StickFilter, limit: number): Promise<TableView | undefined>;
  clear(name: string, which: StickFilter, by: string): Promise<number | undefined>;
}

/** Entries told at once, by default and at most. */
const DEFAULT_LIMIT = 100;
const HIGHEST_LIMIT = 10_000;

/**
 * `GET /table` lists the tables; `?backend=NAME` tells the entries of one that were used last, with `&key=`, `&server=`
 * those of that key or server, with `&limit=` so many. Keys may be what clients are let in by: they are told to this
 * machine only.
 */
export async function tablesAnswer(
  operations: TableOperations,
  query: URLSearchParams,
  peer: string | undefined,
): Promise<OperationsAnswer> {
  if (!isLocal(peer)) return said(403, 'Stick tables are shown to this machine only');
  const backend = query.get('backend');
  const limit = limitOf(query.get('limit'));
  if (limit === undefined) return said(400, `Expected limit to be a number up to ${HIGHEST_LIMIT}`);
  const which = { key: query.get('key') ?? undefined, server: query.get('server') ?? undefined };
  return tell(async () => {
    const told = backend === null ? await operations.list() : await operations.show(backend, which, limit);
    return told === undefined ? noTable(operations) : json(told);
  });
}

/**
 * `POST /table?backend=NAME` with `{"clear": "all"}`, or `{"clear": {"key": "10.0.0.7"}}`, `{"clear": {"server": "web-1"}}`
 * or both; and `"by"`, who asks for it.
 */
export async function clearAnswer(
  operations: TableOperations,
  query: URLSearchParams,
  body: unknown,
  peer: string | undefined,
): Promise<OperationsAnswer> {
  const backend = query.get('backend');
  if (backend === null) return said(400, `Which table? ?backend=${operations.names.join(' or ')}`);
  const { clear, by } = isObject(body) ? body : {};
  const which = filterOf(clear);
  if (!which)
    return said(400, 'Expected {"clear": "all"}, or {"clear": {"key": …, "server": …}} with one or both');
  return tell(async () => {
    const cleared = await operations.clear(backend, which, callerOf(by, peer));
    return cleared === undefined ? noTable(operations) : json({ cleared });
  });
}

/** Undefined: it is no filter. What is meant has to be said: nobody clears all by leaving out a word. */
function filterOf(clear: unknown): StickFilter | undefined {
  if (clear === 'all') return {};
  const { key, server } = isObject(clear) ? clear : {};
  const isWord = (word: unknown) => word === undefined || (typeof word === 'string' && word !== '');
  if (!isWord(key) || !isWord(server) || (key === undefined && server === undefined)) return undefined;
  return { key: key as string | undefined, server: server as string | undefined };
}

function limitOf(text: string | null): number | undefined {
  if (text === null) return DEFAULT_LIMIT;
  return /^\d{1,5}$/.test(text) && Number(text) <= HIGHEST_LIMIT ? Number(text) : undefined;
}

/** The data plane may be busy, or about to end. */
async function tell(answer: () => Promise<OperationsAnswer>): Promise<OperationsAnswer> {
  try {
    return await answer();
  } catch (error) {
    return said(503, messageOf(error));
  }
}

function noTable({ names }: TableOperations): OperationsAnswer {
  return said(404, `no backend of that name has a stick-table; there are ${names.join(', ') || 'none'}`);
}

function json(value: unknown): OperationsAnswer {
  return { status: 200, body: `${JSON.stringify(value)}\n`, type: 'application/json' };
}
