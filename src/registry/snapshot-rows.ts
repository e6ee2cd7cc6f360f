import { VaneError } from '../core/errors.ts';
import type {
  Check,
  Instance,
  KvEntry,
  PreparedQuery,
  RegistryNode,
  Session,
  StoreSnapshot,
  Unindexed,
} from './model.ts';
import type { CatalogReader } from './reader.ts';
import { decodeEntry, readEntry, writtenEntry } from './stores/kv-text.ts';
import {
  decodeCheck,
  decodeInstance,
  decodeNode,
  decodeQuery,
  decodeSession,
  encodeRow,
} from './stores/rows.ts';

/** All rows of a registry, without their indexes. */
export interface SnapshotRows {
  readonly nodes: readonly Unindexed<RegistryNode>[];
  readonly services: readonly Unindexed<Instance>[];
  readonly checks: readonly Unindexed<Check>[];
  readonly sessions: readonly Unindexed<Session>[];
  readonly kv: readonly Unindexed<KvEntry>[];
  readonly queries: readonly Unindexed<PreparedQuery>[];
}

/** All that the registry holds at this moment. Rows never change, so it may be written down at leisure. */
export function snapshotOf(catalog: CatalogReader): StoreSnapshot {
  const nodes = catalog.nodes().value;
  return {
    index: catalog.index,
    nodes,
    services: nodes.flatMap(({ node }) => catalog.node(node).value?.instances ?? []),
    checks: nodes.flatMap(({ node }) => catalog.nodeChecks(node).value),
    sessions: catalog.sessions.all().value,
    kv: catalog.kv.under('').value,
    queries: catalog.queries.all().value,
  };
}

/** One line for each row: its table, a space, the row as JSON. */
export function* encodeRows(rows: SnapshotRows): Generator<string> {
  for (const row of rows.nodes) yield `node ${encodeRow(row)}\n`;
  for (const row of rows.services) yield `service ${encodeRow(row)}\n`;
  for (const row of rows.checks) yield `check ${encodeRow(row)}\n`;
  for (const row of rows.sessions) yield `session ${encodeRow(row)}\n`;
  for (const row of rows.kv) yield `kv ${encodeRow(writtenEntry(row))}\n`;
  for (const row of rows.queries) yield `query ${encodeRow(row)}\n`;
}

/** Takes in what {@link encodeRows} has written, line by line. */
export class RowsReader implements SnapshotRows {
  readonly nodes: Unindexed<RegistryNode>[] = [];
  readonly services: Unindexed<Instance>[] = [];
  readonly checks: Unindexed<Check>[] = [];
  readonly sessions: Unindexed<Session>[] = [];
  readonly kv: Unindexed<KvEntry>[] = [];
  readonly queries: Unindexed<PreparedQuery>[] = [];
  #lines = 0;

  /** Without its line feed. Throws STORE_CORRUPT for what is no row. */
  read(line: string): void {
    this.#lines += 1;
    const what = `line ${this.#lines} of the snapshot`;
    const end = line.indexOf(' ');
    const body = line.slice(end + 1);
    switch (line.slice(0, Math.max(0, end))) {
      case 'node':
        this.nodes.push(decodeNode(what, body));
        return;
      case 'service':
        this.services.push(decodeInstance(what, body));
        return;
      case 'check':
        this.checks.push(decodeCheck(what, body));
        return;
      case 'session':
        this.sessions.push(decodeSession(what, body));
        return;
      case 'kv':
        this.kv.push(readEntry(decodeEntry(what, body)));
        return;
      case 'query':
        this.queries.push(decodeQuery(what, body));
        return;
      default:
        throw new VaneError('STORE_CORRUPT', `${what} is of no table that there is`);
    }
  }
}
