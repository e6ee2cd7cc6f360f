import type { Indexed } from './model.ts';
import type { CatalogReader } from './reader.ts';

/**
 * What a command took for granted of rows that others may write: how they were when it was planned. Told by the rows
 * themselves, so that all who fold the same commits come to the same verdict.
 *
 * `kv-tree` and `queries` stand for lists: how many rows there are, and the index of the one written last.
 */
export type Expectation =
  /** `modifyIndex` 0: it is not there. */
  | { readonly of: 'kv'; readonly key: string; readonly modifyIndex: number }
  | { readonly of: 'node'; readonly node: string; readonly modifyIndex: number }
  | { readonly of: 'service'; readonly node: string; readonly id: string; readonly modifyIndex: number }
  | { readonly of: 'check'; readonly node: string; readonly id: string; readonly modifyIndex: number }
  | { readonly of: 'kv-tree'; readonly prefix: string; readonly rows: number; readonly modifyIndex: number }
  | { readonly of: 'queries'; readonly rows: number; readonly modifyIndex: number };

export function expectKey(catalog: CatalogReader, key: string): Expectation {
  return { of: 'kv', key, modifyIndex: indexOf(catalog.kv.entry(key).value) };
}

export function expectTree(catalog: CatalogReader, prefix: string): Expectation {
  return { of: 'kv-tree', prefix, ...ofList(catalog.kv.under(prefix).value) };
}

export function expectNode(catalog: CatalogReader, node: string): Expectation {
  return { of: 'node', node, modifyIndex: indexOf(catalog.node(node).value?.node) };
}

export function expectService(catalog: CatalogReader, node: string, id: string): Expectation {
  return { of: 'service', node, id, modifyIndex: indexOf(catalog.instance(node, id)) };
}

export function expectCheck(catalog: CatalogReader, node: string, id: string): Expectation {
  return { of: 'check', node, id, modifyIndex: indexOf(catalog.check(node, id)) };
}

export function expectQueries(catalog: CatalogReader): Expectation {
  return { of: 'queries', ...ofList(catalog.queries.all().value) };
}

/** Whether all is as it was expected. */
export function isAsExpected(catalog: CatalogReader, expectations: readonly Expectation[]): boolean {
  return expectations.every((one) => isMet(catalog, one));
}

function isMet(catalog: CatalogReader, one: Expectation): boolean {
  switch (one.of) {
    case 'kv':
      return indexOf(catalog.kv.entry(one.key).value) === one.modifyIndex;
    case 'node':
      return indexOf(catalog.node(one.node).value?.node) === one.modifyIndex;
    case 'service':
      return indexOf(catalog.instance(one.node, one.id)) === one.modifyIndex;
    case 'check':
      return indexOf(catalog.check(one.node, one.id)) === one.modifyIndex;
    case 'kv-tree':
      return isSameList(one, ofList(catalog.kv.under(one.prefix).value));
    case 'queries':
      return isSameList(one, ofList(catalog.queries.all().value));
  }
}

interface ListState {
  readonly rows: number;
  readonly modifyIndex: number;
}

function isSameList(a: ListState, b: ListState): boolean {
  return a.rows === b.rows && a.modifyIndex === b.modifyIndex;
}

function ofList(rows: readonly Indexed[]): ListState {
  return {
    rows: rows.length,
    modifyIndex: rows.reduce((highest, { modifyIndex }) => Math.max(highest, modifyIndex), 0),
  };
}

function indexOf(row: Indexed | undefined): number {
  return row?.modifyIndex ?? 0;
}
