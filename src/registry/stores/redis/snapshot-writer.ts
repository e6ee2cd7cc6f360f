import { messageOf } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import type { StoreSnapshot } from '../../model.ts';
import type { CommitLog } from './log.ts';

/** Commits until somebody writes a snapshot: whoever starts reads no more of them than about this. */
const COMMITS_PER_SNAPSHOT = 10_000;

/** Has a snapshot written now and then, so that the log stays short. */
export class SnapshotWriter {
  readonly #store: CommitLog;
  readonly #log: Log;
  #commits = 0;

  constructor(store: CommitLog, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** A commit has been taken in. */
  count(): void {
    this.#commits += 1;
  }

  /** Writes what there is, if it is time. */
  maybe(epoch: string | undefined, snapshot: () => StoreSnapshot | undefined): void {
    if (epoch === undefined || this.#commits < COMMITS_PER_SNAPSHOT) return;
    this.#commits = 0;
    const rows = snapshot();
    if (!rows) return;
    this.#store.publish(epoch, rows).catch((thrown: unknown) => {
      this.#log.warn({ error: messageOf(thrown) }, 'snapshot of the registry was not written to Redis');
    });
  }
}
