import { randomUUID } from 'node:crypto';
import type { Cause, StoreSnapshot } from '../../model.ts';
import type { CommitLog } from './log.ts';
import {
  type Knowledge,
  type PutBack,
  planKeysAndQueries,
  planOtherNodes,
  planOwnRows,
  planRemovals,
  planSessions,
} from './rebuild.ts';
import type { Replay } from './replay.ts';
import type { Restoration } from './restoration.ts';

/** A lost registry as one node knows it, and the one that has begun anew. */
export interface LostRegistry {
  readonly store: CommitLog;
  readonly restoration: Restoration;
  readonly epoch: string;
  /** What is in the new one now. */
  readonly replay: Replay;
  /** All rows of the lost one, with what took effect here alone. */
  readonly held: StoreSnapshot;
  readonly self: string;
  /** The last commit of the lost one that is known here. */
  readonly knownUpTo: number;
  /** The index that the new one must have reached, later than any that was seen. */
  readonly least: number;
  /** Ends the wait for other nodes that put back theirs. */
  readonly signal: AbortSignal;
}

const PUT_BACK: Cause = { by: 'registry', what: 'put back' };
/** Whoever writes to the new registry meanwhile may get in before: what is left is planned anew, so often. */
const MOST_ROUNDS = 10;
/** Changes and bytes of values in one commit, but for those of one node, which go together. */
const MOST_TOGETHER = 100;
const MOST_BYTES = 1024 * 1024;

/**
 * Fills a registry that begins anew from what is held here: a node's own rows are as it knows them, all others as the
 * node knows them that has heard most of the lost one, whatever the order in which they come back. What somebody has
 * written to the new one stays.
 */
export async function putBackRows(lost: LostRegistry): Promise<void> {
  const { store, restoration, epoch, replay, held, self, knownUpTo } = lost;
  await restoration.inTurn(lost.signal, async (keep) => {
    await replay.goOn();
    const append = async (one: PutBack, asOf?: number) => {
      const commit = { ...one, cause: PUT_BACK, asOf };
      await Promise.all([store.append(epoch, randomUUID(), commit, lost.least), keep()]);
    };
    // Clients wait for indexes later than those that they have seen.
    if (replay.index < lost.least) await append({ changes: [], expects: [] });
    await replay.goOn();
    // First: its sessions, and the locks that they hold, are taken in only where the node is.
    const own = planOwnRows(held, replay.catalog, self);
    if (own.length > 0) await append({ changes: own, expects: [] });
    await restoration.hasSpoken(self);
    const restored = await restoration.read();
    // Others wait for their turn: whoever knows no more than what is there already is done.
    if (knownUpTo <= restored.upTo) return replay.goOn();
    const knowledge: Knowledge = {
      ...{ held, self, ...restored, found: replay.catalog },
      isStale: ({ modifyIndex }) => (replay.putBackAsOf(modifyIndex) ?? knownUpTo) < knownUpTo,
    };
    for (const plan of [planOtherNodes, planSessions, planKeysAndQueries, planRemovals]) {
      for (let round = 0; round < MOST_ROUNDS; round++) {
        await replay.goOn();
        const left = plan(knowledge);
        if (left.length === 0) break;
        for (const one of inBatches(left)) await append(one, knownUpTo);
      }
    }
    await replay.goOn();
    await restoration.isWhole(knownUpTo);
  });
}

function* inBatches(all: readonly PutBack[]): Generator<PutBack> {
  let [changes, expects]: [PutBack['changes'][number][], PutBack['expects'][number][]] = [[], []];
  let bytes = 0;
  for (const one of all) {
    changes.push(...one.changes);
    expects.push(...one.expects);
    for (const change of one.changes) if (change.op === 'put-kv') bytes += change.entry.value.byteLength;
    if (changes.length < MOST_TOGETHER && bytes < MOST_BYTES) continue;
    yield { changes, expects };
    [changes, expects, bytes] = [[], [], 0];
  }
  if (changes.length > 0) yield { changes, expects };
}
