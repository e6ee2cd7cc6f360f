import type { CatalogReader } from '../../registry/reader.ts';
import { isRead, type TxnOp, type TxnRow } from '../../registry/txn-ops.ts';
import { demand, type Rights } from './rights.ts';
import { readsCheck, vetCheck, vetInstance, vetNewCheck, vetService } from './vet.ts';

/** Throws the 403 unless this may be done. What keys hold is left out of the answer instead: {@link isShown}. */
export function vetTxnOp(rights: Rights, catalog: CatalogReader, op: TxnOp): void {
  if (!isRead(op)) demand(rights.registers);
  if (op.kind === 'kv') vetKv(rights, op);
  else if (op.kind === 'node') vetNode(rights, catalog, op);
  else if (op.kind === 'service') vetTxnService(rights, catalog, op);
  else vetTxnCheck(rights, catalog, op);
}

type OpOf<K extends TxnOp['kind']> = Extract<TxnOp, { kind: K }>;

function vetKv(rights: Rights, { verb, key }: OpOf<'kv'>): void {
  if (verb === 'get' || verb === 'get-tree') demand(rights.reads);
  else if (verb.startsWith('check-')) demand(rights.readsKey(key));
  else if (verb === 'delete-tree') demand(rights.writesKeysUnder(key));
  else demand(rights.writesKey(key));
}

function vetNode(rights: Rights, catalog: CatalogReader, { verb, node }: OpOf<'node'>): void {
  if (verb === 'get') {
    demand(rights.reads);
    return;
  }
  demand(rights.writesNode(node.node));
  // A node id under another name renames the node that has it.
  const named = catalog.nodes().value.find(({ id }) => node.id !== '' && id === node.id);
  if (named) demand(rights.writesNode(named.node));
}

function vetTxnService(rights: Rights, catalog: CatalogReader, op: OpOf<'service'>): void {
  const { verb, node, service } = op;
  const known = catalog.instance(node, service.id);
  if (verb === 'get') demand(known ? rights.readsService(known.service) : rights.reads);
  else if (verb.startsWith('delete')) vetInstance(rights, known);
  else vetService(rights, catalog, node, service);
}

function vetTxnCheck(rights: Rights, catalog: CatalogReader, { verb, node, check }: OpOf<'check'>): void {
  const known = catalog.check(node, check.id);
  if (verb === 'get') demand(known ? readsCheck(rights, known) : rights.reads);
  else if (verb.startsWith('delete')) vetCheck(rights, known);
  else vetNewCheck(rights, catalog, { ...check, node });
}

/** Of what operations answer with, only keys may be others'. */
export function isShown(rights: Rights, row: TxnRow): boolean {
  return row.kind !== 'kv' || rights.readsKey(row.entry.key);
}
