import { randomUUID } from 'node:crypto';
import type { Log } from '../../../core/log.ts';
import type { Expectation } from '../../expectations.ts';
import type { Cause, StoreSnapshot } from '../../model.ts';
import type { CommitLog } from './log.ts';
import { type PutBack, planOtherRows, planOwnRows } from './rebuild.ts';
import type { Acknowledged } from './recent-commits.ts';
import type { Replay } from './replay.ts';

export interface PutBackInto {
  readonly store: CommitLog;
  readonly epoch: string;
  /** What is in there now. */
  readonly replay: Replay;
  readonly log: Log;
}

const PUT_BACK: Cause = { by: 'registry', what: 'put back' };
/** Others that begin anew at the same moment may put this node's rows back as they knew them: once, and then again. */
const MOST_ROUNDS = 10;

/** Fills a registry that begins anew from what is held here. Resolves to how many rows that took. */
export async function putBackRows(
  { store, epoch, replay }: Omit<PutBackInto, 'log'>,
  held: StoreSnapshot,
  self: string,
): Promise<number> {
  let rows = 0;
  const put = async ({ changes, expects }: PutBack) => {
    await store.append(epoch, randomUUID(), { changes, expects, cause: PUT_BACK }, 0);
    rows += changes.length;
  };
  const own = async () => {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const changes = planOwnRows(held, replay.catalog, self);
      if (changes.length > 0) await put({ changes, expects: [] });
      await replay.goOn();
      if (planOwnRows(held, replay.catalog, self).length === 0) break;
    }
  };
  // First: its sessions, and the locks that they hold, are taken in only where the node is.
  await own();
  for (const one of planOtherRows(held, replay.catalog, self)) await put(one);
  await own();
  return rows;
}

/**
 * Appends acknowledged commits once more that the log lacks. A key that somebody else has written since the log went
 * another way keeps that: two holders of one lock are worse than one who loses it.
 */
export async function putBackCommits(
  { store, epoch, replay, log }: PutBackInto,
  missing: readonly Acknowledged[],
): Promise<void> {
  const parted = missing[0]?.index ?? 0;
  const own = new Set<string>();
  for (const { uid, changes, cause } of missing) {
    const keys = changes.flatMap((change) => (change.op === 'put-kv' ? [change.entry.key] : []));
    const indexes = keys.map((key) => replay.catalog.kv.entry(key).value?.modifyIndex ?? 0);
    if (indexes.some((index, i) => index >= parted && !own.has(keys[i] ?? ''))) {
      const { by, what } = cause;
      log.error({ by, what, keys }, 'redis has lost a write, and another has come in its place');
      continue;
    }
    const expects = keys.map((key, i): Expectation => ({ of: 'kv', key, modifyIndex: indexes[i] ?? 0 }));
    await store.append(epoch, uid, { changes, cause, expects }, 0);
    await replay.goOn();
    for (const key of keys) own.add(key);
  }
  log.error(
    { commits: missing.length },
    'redis has lost its latest commits: those of this node are put back',
  );
}
