import type { Log } from '../../../core/log.ts';
import { effective } from '../../effective.ts';
import type { Expectation } from '../../expectations.ts';
import type { Change } from '../../model.ts';
import type { CatalogReader } from '../../reader.ts';
import type { CommitLog } from './log.ts';
import { isAbout } from './outbox.ts';
import type { Acknowledged } from './recent-commits.ts';
import type { Replay } from './replay.ts';
import { rowChangedBy } from './row-names.ts';

export interface PutBackInto {
  readonly store: CommitLog;
  readonly epoch: string;
  /** What is in there now. */
  readonly replay: Replay;
  readonly log: Log;
  /** The node that puts back: of its own rows it knows the truth. */
  readonly self: string;
  /** Ids of its commits of late, put back before or not. */
  readonly own: ReadonlySet<string>;
}

/** Others may write the same keys while a commit is put back: it is then planned anew, so often. */
const MOST_ATTEMPTS = 5;

/**
 * Appends acknowledged commits once more that the log lacks. A row that somebody else has written or deleted since the
 * log went another way stays so, as if that had come after; the others of the commit are put back. But what was written
 * under a lock that somebody else has by now is not: two who write under one lock are worse than a write that is lost.
 */
export async function putBackCommits(
  { store, epoch, replay, log, self, own }: PutBackInto,
  missing: readonly Acknowledged[],
): Promise<void> {
  if (missing.length === 0) return;
  const parted = Math.min(...missing.map(({ index }) => index));
  const isTaken = (change: Change) => {
    const last = replay.lastWriting(rowChangedBy(change) ?? '');
    return last !== undefined && last.index >= parted && !own.has(last.uid) && !isAbout(self, [change]);
  };
  for (const { uid, changes, cause } of missing) {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const all = changes.flatMap((change) => oneByOne(replay.catalog, change));
      const taken = all.filter(isTaken);
      const isLockLost = taken.some((change) => isLocked(replay.catalog, change));
      const kept = all.filter((change) => (isLockLost ? isAbout(self, [change]) : !taken.includes(change)));
      if (kept.length < all.length) {
        const rows = all.filter((change) => !kept.includes(change)).map(rowChangedBy);
        log.error({ ...cause, rows }, 'redis has lost a write, and another has come in its place');
      }
      if (effective(replay.catalog, kept).changes.length === 0) break;
      const expects = kept.flatMap((change) => expected(replay.catalog, change));
      await store.append(epoch, uid, { changes: kept, cause, expects }, 0);
      await replay.goOn();
      if (replay.outcomeOf(uid)?.isVain === false || expects.length === 0) break;
    }
  }
  log.error(
    { commits: missing.length },
    'redis has lost its latest commits: those of this node are put back',
  );
}

/** A tree of keys as its keys, of which some may be others' by now. */
function oneByOne(catalog: CatalogReader, change: Change): readonly Change[] {
  if (change.op !== 'delete-kv-tree') return [change];
  return catalog.kv.under(change.prefix).value.map(({ key }): Change => ({ op: 'delete-kv', key }));
}

/** Whether a change of a key was, or would be, one of a key that is locked. */
function isLocked(catalog: CatalogReader, change: Change): boolean {
  if (change.op !== 'put-kv' && change.op !== 'delete-kv') return false;
  if (change.op === 'put-kv' && change.entry.session !== '') return true;
  const key = change.op === 'put-kv' ? change.entry.key : change.key;
  return (catalog.kv.entry(key).value?.session ?? '') !== '';
}

function expected(catalog: CatalogReader, change: Change): readonly Expectation[] {
  if (change.op !== 'put-kv' && change.op !== 'delete-kv') return [];
  const key = change.op === 'put-kv' ? change.entry.key : change.key;
  return [{ of: 'kv', key, modifyIndex: catalog.kv.entry(key).value?.modifyIndex ?? 0 }];
}
