import type { Expectation } from '../../expectations.ts';
import { fold } from '../../fold.ts';
import type { Change, Indexed, StoreSnapshot } from '../../model.ts';
import type { CatalogReader } from '../../reader.ts';
import { sameRow } from '../../same-row.ts';

/** Changes that are put back in one commit. */
export interface PutBack {
  readonly changes: readonly Change[];
  readonly expects: readonly Expectation[];
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
  const ids = (rows: readonly { readonly id: string }[]) => new Set(rows.map(({ id }) => fold(id)));
  const [serviceIds, checkIds] = [ids(services), ids(checks)];
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
 * What is put back of all that is not this node's own, into a registry that begins anew: only what nobody has put there
 * before. A node that is there speaks for itself, so its rows go in together or not at all.
 */
export function planOtherRows(held: StoreSnapshot, found: CatalogReader, self: string): readonly PutBack[] {
  const others = held.nodes.filter(
    ({ node }) => fold(node) !== fold(self) && found.node(node).value === undefined,
  );
  return [
    ...others.map((node): PutBack => {
      const isOfIt = (row: { readonly node: string }) => fold(row.node) === fold(node.node);
      return {
        changes: [
          { op: 'put-node', node },
          ...held.services.filter(isOfIt).map((service): Change => ({ op: 'put-service', service })),
          ...held.checks.filter(isOfIt).map((check): Change => ({ op: 'put-check', check })),
        ],
        expects: [{ of: 'node', node: node.node, modifyIndex: 0 }],
      };
    }),
    ...held.sessions
      .filter(({ id }) => !found.sessions.get(id).value)
      .map((session): PutBack => ({ changes: [{ op: 'put-session', session }], expects: [] })),
    ...held.kv
      .filter(({ key }) => !found.kv.entry(key).value)
      .map((entry): PutBack => {
        const expects: Expectation[] = [{ of: 'kv', key: entry.key, modifyIndex: 0 }];
        return { changes: [{ op: 'put-kv', entry }], expects };
      }),
    ...held.queries
      .filter(({ id }) => !found.queries.find(id))
      .map((query): PutBack => ({ changes: [{ op: 'put-query', query }], expects: [] })),
  ];
}

function isSame(known: Indexed | undefined, row: object): boolean {
  return known !== undefined && sameRow(known, row);
}
