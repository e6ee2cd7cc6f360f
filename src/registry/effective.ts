import type { Change, Indexed } from './model.ts';
import type { CatalogReader } from './reader.ts';
import { sameRow } from './same-row.ts';

/**
 * What is left of a plan without the puts that would change nothing, and how many rows it adds. Each row may
 * occur once in a plan.
 */
export function effective<C extends Change>(
  reader: CatalogReader,
  plan: readonly C[],
): { readonly changes: readonly C[]; readonly added: number } {
  const changes: C[] = [];
  let added = 0;
  for (const change of plan) {
    const row = rowOf(change);
    const stored = row && storedRow(reader, change);
    if (row && stored && sameRow(stored, row)) continue;
    if (row && !stored) added += 1;
    changes.push(change);
  }
  return { changes, added };
}

function rowOf(change: Change): object | undefined {
  switch (change.op) {
    case 'put-node':
      return change.node;
    case 'put-service':
      return change.service;
    case 'put-check':
      return change.check;
    default:
      return undefined;
  }
}

function storedRow(reader: CatalogReader, change: Change): Indexed | undefined {
  switch (change.op) {
    case 'put-node':
      return reader.node(change.node.node).value?.node;
    case 'put-service':
      return reader.instance(change.service.node, change.service.id);
    case 'put-check':
      return reader.check(change.check.node, change.check.id);
    default:
      return undefined;
  }
}
