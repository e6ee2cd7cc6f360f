import type { Expectation } from '../../expectations.ts';
import { fold } from '../../fold.ts';
import { sameEntry } from '../../kv-table.ts';
import type { Change, Check, Indexed, Instance, StoreSnapshot } from '../../model.ts';
import type { CatalogReader } from '../../reader.ts';
import { sameRow } from '../../same-row.ts';
import { checksNamedBy } from '../../session-table.ts';

/** Changes that are put back in one commit. */
export interface PutBack {
  readonly changes: readonly Change[];
  readonly expects: readonly Expectation[];
}

/** What one node has to go by that puts back rows that are not its own. */
export interface Knowledge {
  readonly self: string;
  /** All rows, as they were in the registry that is lost. */
  readonly held: StoreSnapshot;
  /** What is in the registry that has begun anew. */
  readonly found: CatalogReader;
  /** The index in the lost registry up to which others have put back all that there was. */
  readonly upTo: number;
  /** Nodes in lower case that have put back their own rows. */
  readonly spoken: ReadonlySet<string>;
  /** Whether a row of the new one is as somebody put it back who knew less than this node, and nobody has written it since. */
  readonly isStale: (row: Indexed) => boolean;
}

/**
 * What makes a node's own rows in Redis what they are here. Of them this node knows the truth, so that what Redis has
 * besides goes.
 */
export function planOwnRows(held: StoreSnapshot, found: CatalogReader, self: string): readonly Change[] {
  const isOwn = ({ node }: { readonly node: string }) => fold(node) === fold(self);
  const nodes = held.nodes.filter(isOwn);
  const services = held.services.filter(isOwn);
  const checks = held.checks.filter(isOwn);
  const known = found.node(self).value;
  const [serviceIds, checkIds] = [idsOf(services), idsOf(checks)];
  return [
    ...nodes
      .filter((node) => !known || !sameRow(known.node, node))
      .map((node): Change => ({ op: 'put-node', node })),
    ...services
      .filter((service) => !isSame(found.instance(self, service.id), service))
      .map((service): Change => ({ op: 'put-service', service })),
    ...checks
      .filter((check) => !isSame(found.check(self, check.id), check))
      .map((check): Change => ({ op: 'put-check', check })),
    ...(known?.instances ?? [])
      .filter(({ id }) => !serviceIds.has(fold(id)))
      .map(({ id }): Change => ({ op: 'delete-service', node: self, id })),
    ...(known ? found.nodeChecks(self).value : [])
      .filter(({ id }) => !checkIds.has(fold(id)))
      .map(({ id }): Change => ({ op: 'delete-check', node: self, id })),
  ];
}

/**
 * Other nodes with what is on them, one commit each. A node that has put back its own rows is left alone; one that is
 * there and has not is one that has started without knowing what was registered at it.
 */
export function planOtherNodes(knowledge: Knowledge): readonly PutBack[] {
  const { held, self, spoken } = knowledge;
  const services = Map.groupBy(held.services, ({ node }) => fold(node));
  const checks = Map.groupBy(held.checks, ({ node }) => fold(node));
  return held.nodes
    .filter(({ node }) => fold(node) !== fold(self) && !spoken.has(fold(node)))
    .map((row): PutBack => {
      const { node } = row;
      const known = knowledge.found.node(node).value;
      if (!known && !isNews(knowledge, row)) return { changes: [], expects: [] };
      const plans = [
        isWanted(knowledge, row, known?.node)
          ? one(
              { op: 'put-node', node: row },
              { of: 'node', node, modifyIndex: known?.node.modifyIndex ?? 0 },
            )
          : undefined,
        ...(services.get(fold(node)) ?? []).map((service) => planService(knowledge, service)),
        ...(checks.get(fold(node)) ?? []).map((check) => planCheck(knowledge, check)),
      ];
      return together(plans.filter((plan) => plan !== undefined));
    })
    .filter(({ changes }) => changes.length > 0);
}

/** Sessions, but for those that end with a node or a check that is not there. */
export function planSessions(knowledge: Knowledge): readonly PutBack[] {
  const { held, found } = knowledge;
  return held.sessions
    .filter((session) => isWanted(knowledge, session, found.sessions.get(session.id).value))
    .filter(({ node }) => found.node(node).value !== undefined)
    .filter((session) =>
      checksNamedBy(session).every(
        (id) => (found.check(session.node, id)?.status ?? 'critical') !== 'critical',
      ),
    )
    .map((session): PutBack => ({ changes: [{ op: 'put-session', session }], expects: [] }));
}

/** Keys and prepared queries. What a session held that is not there any more is as when that ends. */
export function planKeysAndQueries(knowledge: Knowledge): readonly PutBack[] {
  const { held, found } = knowledge;
  const deleting = new Set(held.sessions.filter(({ behavior }) => behavior === 'delete').map(({ id }) => id));
  const lives = (session: string) => session === '' || found.sessions.get(session).value !== undefined;
  const keys = held.kv
    .filter(({ session }) => lives(session) || !deleting.has(session))
    .map((entry) => (lives(entry.session) ? entry : { ...entry, session: '' }))
    .flatMap((entry) => {
      const known = found.kv.entry(entry.key).value;
      if ((known && sameEntry(known, entry)) || !isWanted(knowledge, entry, known)) return [];
      return [one({ op: 'put-kv', entry }, expectedKey(entry.key, known))];
    });
  const queries = held.queries
    .filter((query) => lives(query.session) && isWanted(knowledge, query, found.queries.find(query.id)))
    .map((query): PutBack => ({ changes: [{ op: 'put-query', query }], expects: [] }));
  return [...keys, ...queries];
}

/** What somebody has put back that was gone before the registry was lost. After all else: sessions hold keys. */
export function planRemovals(knowledge: Knowledge): readonly PutBack[] {
  const { held, found, self, spoken, isStale } = knowledge;
  const nodes = found
    .nodes()
    .value.filter(({ node }) => fold(node) !== fold(self) && !spoken.has(fold(node)));
  const heldNodes = new Set(held.nodes.map(({ node }) => fold(node)));
  const heldServices = new Set(held.services.map(rowKey));
  const heldChecks = new Set(held.checks.map(rowKey));
  const keys = new Set(held.kv.map(({ key }) => key));
  const [sessions, queries] = [idsOf(held.sessions), idsOf(held.queries)];
  return [
    ...nodes.flatMap(({ node }) => [
      ...(found.node(node).value?.instances ?? [])
        .filter((row) => isStale(row) && !heldServices.has(rowKey(row)))
        .map(({ id, modifyIndex }) =>
          one({ op: 'delete-service', node, id }, { of: 'service', node, id, modifyIndex }),
        ),
      ...found
        .nodeChecks(node)
        .value.filter((row) => isStale(row) && !heldChecks.has(rowKey(row)))
        .map(({ id, modifyIndex }) =>
          one({ op: 'delete-check', node, id }, { of: 'check', node, id, modifyIndex }),
        ),
    ]),
    ...nodes
      .filter((row) => isStale(row) && !heldNodes.has(fold(row.node)))
      .map(({ node, modifyIndex }) => one({ op: 'delete-node', node }, { of: 'node', node, modifyIndex })),
    ...found.kv
      .under('')
      .value.filter((entry) => isStale(entry) && !keys.has(entry.key))
      .map((entry) => one({ op: 'delete-kv', key: entry.key }, expectedKey(entry.key, entry))),
    ...found.queries
      .all()
      .value.filter((row) => isStale(row) && !queries.has(fold(row.id)))
      .map(({ id }): PutBack => ({ changes: [{ op: 'delete-query', id }], expects: [] })),
    ...found.sessions
      .all()
      .value.filter((row) => isStale(row) && !sessions.has(fold(row.id)))
      .map(({ id }): PutBack => ({ changes: [{ op: 'delete-session', id }], expects: [] })),
  ];
}

function planService(knowledge: Knowledge, service: Instance): PutBack | undefined {
  const { node, id } = service;
  const known = knowledge.found.instance(node, id);
  if (!isWanted(knowledge, service, known)) return undefined;
  const modifyIndex = known?.modifyIndex ?? 0;
  return one({ op: 'put-service', service }, { of: 'service', node, id, modifyIndex });
}

function planCheck(knowledge: Knowledge, check: Check): PutBack | undefined {
  const { node, id } = check;
  const known = knowledge.found.check(node, id);
  if (!isWanted(knowledge, check, known)) return undefined;
  const modifyIndex = known?.modifyIndex ?? 0;
  return one({ op: 'put-check', check }, { of: 'check', node, id, modifyIndex });
}

/** Missing there, though nobody could have deleted it there; or there as somebody put it back who knew less. */
function isWanted(knowledge: Knowledge, row: Indexed, known: Indexed | undefined): boolean {
  return known ? knowledge.isStale(known) && !sameRow(known, row) : isNews(knowledge, row);
}

/** Whoever has put back anything so far cannot have known it. */
function isNews({ upTo }: Knowledge, row: Indexed): boolean {
  return row.modifyIndex > upTo;
}

function expectedKey(key: string, known: Indexed | undefined): Expectation {
  return { of: 'kv', key, modifyIndex: known?.modifyIndex ?? 0 };
}

function one(change: Change, expectation: Expectation): PutBack {
  return { changes: [change], expects: [expectation] };
}

function together(plans: readonly PutBack[]): PutBack {
  return {
    changes: plans.flatMap(({ changes }) => changes),
    expects: plans.flatMap(({ expects }) => expects),
  };
}

function rowKey(row: { readonly node: string; readonly id: string }): string {
  return `${fold(row.node)}\0${fold(row.id)}`;
}

function idsOf(rows: readonly { readonly id: string }[]): ReadonlySet<string> {
  return new Set(rows.map(({ id }) => fold(id)));
}

function isSame(known: Indexed | undefined, row: object): boolean {
  return known !== undefined && sameRow(known, row);
}
