import { VaneError } from '../../../core/errors.ts';
import type { Indexed, KvEntry, StoreSnapshot } from '../../model.ts';
import { decodeEntry, readEntry, writtenEntry } from '../kv-text.ts';
import { decodeCheck, decodeInstance, decodeNode, decodeQuery, decodeSession, encodeRow } from '../rows.ts';

/** Rows in one chunk: what is read or written between two looks at everything else. */
const ROWS_IN_CHUNK = 500;

/** All rows in pieces of bounded size: a line for each, its table, its indexes, then itself as JSON. */
export function* encodeSnapshot(snapshot: StoreSnapshot): Generator<string> {
  let lines: string[] = [];
  for (const line of linesOf(snapshot)) {
    lines.push(line);
    if (lines.length < ROWS_IN_CHUNK) continue;
    yield lines.join('\n');
    lines = [];
  }
  if (lines.length > 0) yield lines.join('\n');
}

function* linesOf(snapshot: StoreSnapshot): Generator<string> {
  for (const row of snapshot.nodes) yield line('node', row, row);
  for (const row of snapshot.services) yield line('service', row, row);
  for (const row of snapshot.checks) yield line('check', row, row);
  for (const row of snapshot.sessions) yield line('session', row, row);
  for (const row of snapshot.kv) yield line('kv', row, writtenEntry(row));
  for (const row of snapshot.queries) yield line('query', row, row);
}

function line(table: string, { createIndex, modifyIndex }: Indexed, row: object): string {
  return `${table} ${createIndex} ${modifyIndex} ${encodeRow(row)}`;
}

/** Takes in what {@link encodeSnapshot} has written, chunk by chunk. */
export class SnapshotReader {
  readonly #rows = {
    nodes: [] as StoreSnapshot['nodes'][number][],
    services: [] as StoreSnapshot['services'][number][],
    checks: [] as StoreSnapshot['checks'][number][],
    sessions: [] as StoreSnapshot['sessions'][number][],
    kv: [] as KvEntry[],
    queries: [] as StoreSnapshot['queries'][number][],
  };

  /** Throws STORE_CORRUPT for what is no row. */
  read(chunk: string): void {
    for (const text of chunk.split('\n')) this.#readLine(text);
  }

  /** All that has been read. */
  at(index: number): StoreSnapshot {
    return { index, ...this.#rows };
  }

  #readLine(text: string): void {
    const match = /^([a-z]+) (\d+) (\d+) (.*)$/s.exec(text);
    const [, table = '', create, modify, body = ''] = match ?? [];
    const indexes = { createIndex: Number(create), modifyIndex: Number(modify) };
    const what = `a row (${table}) of the snapshot in Redis`;
    const rows = this.#rows;
    switch (table) {
      case 'node':
        rows.nodes.push({ ...decodeNode(what, body), ...indexes });
        return;
      case 'service':
        rows.services.push({ ...decodeInstance(what, body), ...indexes });
        return;
      case 'check':
        rows.checks.push({ ...decodeCheck(what, body), ...indexes });
        return;
      case 'session':
        rows.sessions.push({ ...decodeSession(what, body), ...indexes });
        return;
      case 'kv':
        rows.kv.push({ ...readEntry(decodeEntry(what, body)), ...indexes });
        return;
      case 'query':
        rows.queries.push({ ...decodeQuery(what, body), ...indexes });
        return;
      default:
        throw new VaneError('STORE_CORRUPT', `${what} is of no table that there is`);
    }
  }
}
