import { randomUUID } from 'node:crypto';
import type { Cause, StoreSnapshot } from '../../model.ts';
import type { CommitLog } from './log.ts';
import { type PutBack, planOtherRows, planOwnRows } from './rebuild.ts';
import type { Replay } from './replay.ts';

export interface PutBackInto {
  readonly store: CommitLog;
  readonly epoch: string;
  /** What is in there now. */
  readonly replay: Replay;
}

const PUT_BACK: Cause = { by: 'registry', what: 'put back' };
/** Others that begin anew at the same moment may put this node's rows back as they knew them: once, and then again. */
const MOST_ROUNDS = 10;

/** Fills a registry that begins anew from what is held here. Resolves to how many rows that took. */
export async function putBackRows(
  { store, epoch, replay }: PutBackInto,
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
