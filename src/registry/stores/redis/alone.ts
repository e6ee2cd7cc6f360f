import { Catalog } from '../../catalog.ts';
import { fold } from '../../fold.ts';
import type { Change, StoreSnapshot } from '../../model.ts';
import { snapshotOf } from '../../snapshot-rows.ts';
import type { StoreHost } from '../../store.ts';
import type { Unsent } from './outbox.ts';

/** All that a node knows that starts while Redis is away: what an earlier process could not send. */
export function withoutRedis(unsent: readonly Unsent[]): StoreSnapshot {
  const known = new Catalog({ self: '', datacenter: '', onListenerError: () => {} });
  for (const [i, { changes, cause }] of unsent.entries()) known.apply({ index: i + 2, changes, cause });
  return { ...snapshotOf(known), index: unsent.length + 1 };
}

/** Puts the node itself, as nothing can be put on a node that is not there. */
export function ownNodeRow(host: StoreHost | undefined): readonly Change[] {
  const node = host?.snapshot().nodes.find((one) => fold(one.node) === fold(host.self));
  return node ? [{ op: 'put-node', node }] : [];
}
