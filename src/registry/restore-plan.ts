import { effective } from './effective.ts';
import { fold } from './fold.ts';
import { bytesOf, sameEntry } from './kv-table.ts';
import type { Change, Check, Instance, KvEntry, PreparedQuery, Session, Unindexed } from './model.ts';
import { isOwnCheck, isOwnInstance } from './names.ts';
import type { CatalogReader } from './reader.ts';
import { checksNamedBy } from './session-table.ts';
import { type SnapshotRows, snapshotOf } from './snapshot-rows.ts';

/** What a registry is to be restored from. */
export interface Restoration {
  readonly rows: SnapshotRows;
  /** The node whose registry it was: what is on it comes to this node, whatever that is called. */
  readonly node: string;
  /** The index it was saved at: the restored registry has a later one. */
  readonly index: number;
  /** Instances of this node that this process looks after by itself: they and their checks stay as they are now. */
  readonly keeps: (instance: Unindexed<Instance>) => boolean;
}

export interface RestorePlan {
  readonly changes: readonly Change[];
  /** What there is afterwards. */
  readonly rows: number;
  readonly kvBytes: number;
}

/**
 * Makes the registry hold what the snapshot holds, but for what has its truth elsewhere: this node itself, what
 * definition files define on it and what the process looks after stay as they are now, and what is of that kind in the
 * snapshot stays out. So no snapshot can claim that a script is from a file. What is the same already is left alone.
 */
export function planRestore(catalog: CatalogReader, restoration: Restoration): RestorePlan {
  const now = snapshotOf(catalog);
  const wanted = wantedRows(catalog, now, restoration);
  const { nodes, services, checks, sessions, kv, queries } = wanted;
  const changes = [
    ...removals(now, wanted),
    ...nodes.map((node): Change => ({ op: 'put-node', node })),
    ...services.map((service): Change => ({ op: 'put-service', service })),
    ...checks.map((check): Change => ({ op: 'put-check', check })),
    // These after all that could end them, and then what they hold.
    ...sessions.map((session): Change => ({ op: 'put-session', session })),
    ...kv.filter((entry) => !isThere(catalog, entry)).map((entry): Change => ({ op: 'put-kv', entry })),
    ...queries.map((query): Change => ({ op: 'put-query', query })),
  ];
  return {
    changes: effective(catalog, changes).changes,
    rows: [nodes, services, checks, sessions, kv, queries].reduce((sum, { length }) => sum + length, 0),
    kvBytes: kv.reduce((sum, entry) => sum + bytesOf(entry), 0),
  };
}

/** What a session holds may change while others end. */
function isThere(catalog: CatalogReader, entry: Unindexed<KvEntry>): boolean {
  const stored = catalog.kv.entry(entry.key).value;
  return stored !== undefined && entry.session === '' && sameEntry(stored, entry);
}

function wantedRows(
  catalog: CatalogReader,
  now: SnapshotRows,
  { rows, node, keeps }: Restoration,
): SnapshotRows {
  const self = fold(catalog.self);
  const own = (row: { readonly node: string }) => fold(row.node) === self;
  const isKept = (row: Unindexed<Instance>) =>
    own(row) && (row.file !== undefined || isOwnInstance(row.id) || keeps(row));
  const saved = renamed(rows, node, catalog.self);

  const keptServices = now.services.filter(isKept);
  const services = merged(
    keptServices,
    saved.services.filter((row) => !isKept(row)).map((row) => ({ ...row, file: undefined })),
  );
  const serviceKeys = new Set(services.map(rowKey));
  const cared = new Set(keptServices.filter((row) => row.file === undefined).map(rowKey));
  const keptChecks = now.checks.filter(
    (row) => own(row) && (row.file !== undefined || isOwnCheck(row.id) || cared.has(ownerKey(row))),
  );
  const hasOwner = (row: Unindexed<Check>) => row.serviceId === '' || serviceKeys.has(ownerKey(row));
  const restored = (row: Unindexed<Check>) =>
    hasOwner(row) &&
    !(own(row) && (row.file !== undefined || isOwnCheck(row.id) || cared.has(ownerKey(row))));
  const checks = merged(
    keptChecks.filter(hasOwner),
    saved.checks.filter(restored).map((row) => ({ ...row, file: undefined })),
  );
  const nodes = [...now.nodes.filter(own), ...saved.nodes.filter((row) => !own(row))];
  const nodeKeys = new Set(nodes.map((row) => fold(row.node)));
  const status = new Map(checks.map((row) => [rowKey(row), row.status]));
  const sessions = saved.sessions.filter(
    (session) =>
      nodeKeys.has(fold(session.node)) &&
      checksNamedBy(session).every((id) => {
        const found = status.get(rowKey({ node: session.node, id }));
        return found !== undefined && found !== 'critical';
      }),
  );
  return { nodes, services, checks, sessions, ...heldRows(saved, sessions) };
}

/** Keys and queries, as they are where some sessions have ended. */
function heldRows(
  saved: SnapshotRows,
  living: readonly Unindexed<Session>[],
): { kv: readonly Unindexed<KvEntry>[]; queries: readonly Unindexed<PreparedQuery>[] } {
  const alive = new Set(['', ...living.map(({ id }) => id)]);
  const deleting = new Set(
    saved.sessions.filter(({ behavior }) => behavior === 'delete').map(({ id }) => id),
  );
  return {
    kv: saved.kv
      .filter(({ session }) => alive.has(session) || !deleting.has(session))
      .map((entry) => (alive.has(entry.session) ? entry : { ...entry, session: '' })),
    queries: saved.queries.filter(({ session }) => alive.has(session)),
  };
}

/** Rows of the saved node as rows of this one; a node that was foreign then and is this one now is left out. */
function renamed(rows: SnapshotRows, from: string, to: string): SnapshotRows {
  if (fold(from) === fold(to)) return rows;
  const of = <T extends { readonly node: string }>(all: readonly T[]): T[] =>
    all
      .filter((row) => fold(row.node) !== fold(to))
      .map((row) => (fold(row.node) === fold(from) ? { ...row, node: to } : row));
  return {
    ...rows,
    nodes: of(rows.nodes),
    services: of(rows.services),
    checks: of(rows.checks),
    sessions: of(rows.sessions),
  };
}

/** What is no longer there, before anything new comes. */
function removals(now: SnapshotRows, wanted: SnapshotRows): Change[] {
  const nodes = missing(now.nodes, wanted.nodes, (row) => fold(row.node));
  const gone = new Set(nodes.map((row) => fold(row.node)));
  const stays = (row: { readonly node: string }) => !gone.has(fold(row.node));
  const services = missing(now.services.filter(stays), wanted.services, rowKey);
  const goneServices = new Set(services.map(rowKey));
  const checks = missing(now.checks.filter(stays), wanted.checks, rowKey);
  return [
    ...nodes.map(({ node }): Change => ({ op: 'delete-node', node })),
    ...services.map(({ node, id }): Change => ({ op: 'delete-service', node, id })),
    ...checks
      .filter((row) => !goneServices.has(ownerKey(row)))
      .map(({ node, id }): Change => ({ op: 'delete-check', node, id })),
    ...missing(now.sessions, wanted.sessions, ({ id }) => id).map(
      ({ id }): Change => ({ op: 'delete-session', id }),
    ),
    ...missing(now.kv, wanted.kv, ({ key }) => key).map(({ key }): Change => ({ op: 'delete-kv', key })),
    ...missing(now.queries, wanted.queries, ({ id }) => id).map(
      ({ id }): Change => ({ op: 'delete-query', id }),
    ),
  ];
}

function missing<A extends B, B>(
  now: readonly A[],
  wanted: readonly B[],
  key: (row: B) => string,
): readonly A[] {
  const there = new Set(wanted.map(key));
  return now.filter((row) => !there.has(key(row)));
}

/** The first of rows with the same key counts. */
function merged<T extends { readonly node: string; readonly id: string }>(
  ...groups: readonly (readonly T[])[]
): T[] {
  const rows = new Map<string, T>();
  for (const row of groups.flat()) {
    const key = rowKey(row);
    if (!rows.has(key)) rows.set(key, row);
  }
  return [...rows.values()];
}

function rowKey(row: { readonly node: string; readonly id: string }): string {
  return `${fold(row.node)}\0${fold(row.id)}`;
}

function ownerKey(check: Unindexed<Check>): string {
  return rowKey({ node: check.node, id: check.serviceId });
}
