import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { WorkerCrew } from './worker-crew.ts';

export interface WorkerReplacementOptions {
  readonly crew: WorkerCrew;
  readonly log: Log;
  /** How long those that are replaced may finish what they have, ms: `hard-stop-after` as it is now. */
  readonly within: () => number;
}

/**
 * Replaces the workers while all goes on. Each place is handed over on its own: the new worker listens before the
 * other stops to. Those that were replaced finish what they have at the same time, so that a client which is cut at
 * the deadline and comes again is not cut once more. One replacement after another: there are never more than twice
 * as many workers.
 */
export class WorkerReplacement {
  readonly #options: WorkerReplacementOptions;
  #running = false;
  #again = false;

  constructor(options: WorkerReplacementOptions) {
    this.#options = options;
  }

  /**
   * Replaces all workers. What becomes of it is logged. Resolves once those that were replaced have ended; at once
   * when a replacement is under way already: then there is one more behind it.
   */
  async request(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      this.#options.log.info({}, 'workers are being replaced: they will be once more after that');
      return;
    }
    this.#running = true;
    do {
      this.#again = false;
      await this.#replaceAll();
    } while (this.#again && !this.#options.crew.closing);
    this.#running = false;
  }

  async #replaceAll(): Promise<void> {
    const { crew, log, within } = this.#options;
    const { places } = crew;
    const leaving: Promise<number>[] = [];
    let replaced = 0;
    let failure: unknown;
    log.info({ workers: places.length }, 'workers are being replaced');
    for (const place of places) {
      try {
        const before = await crew.replace(place);
        replaced++;
        log.info({ worker: place.number, pid: place.worker?.pid, before: before?.pid }, 'worker takes over');
        if (before) leaving.push(this.#retire(before, within()));
      } catch (error) {
        failure = error;
        break;
      }
    }
    if (crew.closing) return;
    const fields = { replaced, of: places.length };
    if (failure !== undefined) {
      const error = messageOf(failure);
      log.error(
        { ...fields, error },
        'workers not replaced: a new one did not come up, and the old one stays',
      );
    }
    const cut = (await Promise.all(leaving)).reduce((sum, one) => sum + one, 0);
    if (failure === undefined && !crew.closing) log.info({ ...fields, cut }, 'workers have been replaced');
  }

  async #retire(worker: Parameters<WorkerCrew['retire']>[0], withinMs: number): Promise<number> {
    const { crew, log } = this.#options;
    const cut = await crew.retire(worker, withinMs);
    const fields = { worker: worker.number, pid: worker.pid, cut };
    if (cut === undefined && !crew.closing)
      log.warn(fields, 'worker that was replaced did not end as it should, and was ended');
    else if (cut) log.warn(fields, 'requests and connections were cut: hard-stop-after has passed');
    return cut ?? 0;
  }
}
