import type { Log } from '../core/log.ts';
import type { Worker } from './worker.ts';

/** A worker that has not answered so many times on end is stuck. */
const SILENT_MAX = 15;

/** Ends workers that are stuck: their connections are lost anyway, and the place is needed. */
export class SilentWorkers {
  readonly #log: Log;
  readonly #times = new WeakMap<Worker, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param silent those of the workers asked that have not answered this time */
  note(asked: readonly Worker[], silent: ReadonlySet<Worker>): void {
    for (const worker of asked) {
      const times = silent.has(worker) ? (this.#times.get(worker) ?? 0) + 1 : 0;
      this.#times.set(worker, times);
      if (times !== SILENT_MAX) continue;
      this.#log.error({ worker: worker.number, pid: worker.pid }, 'worker is stuck, and is ended');
      worker.kill();
    }
  }
}
