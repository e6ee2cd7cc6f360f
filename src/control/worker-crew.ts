import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { FromPlane } from '../proxy/plane/messages.ts';
import { Worker } from './worker.ts';
import type { WorkerProcess } from './worker-process.ts';

/** A process may take so long to start on a machine that is busy, ms. */
export const START_WITHIN_MS = 30_000;
/** Between the end of a worker and the start of the next in its place, ms; doubled each time, ... */
const RESTART_MS = 1_000;
const RESTART_MAX_MS = 30_000;
/** ... unless it had lived this long. */
const LONG_LIFE_MS = 60_000;
/** How long workers that have nothing left to do may take to end, ms. */
const LEAVE_WITHIN_MS = 1_500;

export interface WorkerCrewOptions {
  readonly size: number;
  readonly spawn: () => WorkerProcess;
  readonly clock: Clock;
  readonly log: Log;
  /** A worker is there, and can be told things. */
  readonly started: (worker: Worker) => void;
  /** A worker is no more; it is not among the workers by then. */
  readonly ended: (worker: Worker) => void;
  readonly news: (worker: Worker, message: Extract<FromPlane, { type: 'idle' | 'trouble' }>) => void;
}

/** A place for one worker at a time. */
interface Place {
  readonly number: number;
  worker: Worker | undefined;
  /** Until the next one is started when this one ends. */
  delay: number;
  cancel: Cancel | undefined;
}

/** Keeps a number of worker processes running: one that ends is replaced by another, again and again. */
export class WorkerCrew {
  readonly #options: WorkerCrewOptions;
  readonly #places: readonly Place[];
  #restarts = 0;
  #closing = false;

  constructor(options: WorkerCrewOptions) {
    this.#options = options;
    this.#places = Array.from({ length: options.size }, (_, i) => ({
      number: i + 1,
      worker: undefined,
      delay: RESTART_MS,
      cancel: undefined,
    }));
  }

  /** Those that run, in order. */
  get workers(): readonly Worker[] {
    return this.#places.flatMap(({ worker }) => worker ?? []);
  }

  /** Workers started in place of one that had ended. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves once all have answered; rejects with INTERNAL when one cannot be started, and then none is left. */
  async start(): Promise<void> {
    for (const place of this.#places) this.#startAt(place);
    try {
      await Promise.all(this.workers.map((worker) => worker.collect(START_WITHIN_MS)));
    } catch (error) {
      this.close();
      for (const worker of this.workers) worker.kill();
      throw new VaneError('INTERNAL', `workers cannot be started: ${messageOf(error)}`);
    }
  }

  /** One that runs: started now if all are waiting to be. */
  some(): Worker {
    const running = this.workers[0];
    if (running) return running;
    const [place] = this.#places;
    if (!place) throw new VaneError('INTERNAL', 'there is no place for a worker');
    place.cancel?.();
    this.#restarts++;
    return this.#startAt(place);
  }

  /** No worker is started any more. */
  close(): void {
    this.#closing = true;
    for (const place of this.#places) place.cancel?.();
  }

  /** Has them end, and ends them by force when that takes too long. */
  async stop(): Promise<void> {
    this.close();
    const leaving = this.workers;
    const over = Promise.all(leaving.map((worker) => worker.over));
    for (const worker of leaving) worker.leave();
    const cancel = this.#options.clock.after(LEAVE_WITHIN_MS, () => {
      for (const worker of this.workers) worker.kill();
    });
    await over;
    cancel();
  }

  #startAt(place: Place): Worker {
    const { clock, log, spawn, started, news } = this.#options;
    place.cancel = undefined;
    const worker: Worker = new Worker({
      number: place.number,
      process: spawn(),
      clock,
      news: (message) => news(worker, message),
      ended: (why) => this.#ended(place, worker, why),
    });
    place.worker = worker;
    log.info({ worker: worker.number, pid: worker.pid }, 'worker has been started');
    started(worker);
    return worker;
  }

  #ended(place: Place, worker: Worker, why: string): void {
    const { clock, log, ended } = this.#options;
    place.worker = undefined;
    if (this.#closing) {
      log.debug({ worker: worker.number, pid: worker.pid, why }, 'worker has ended');
      ended(worker);
      return;
    }
    if (clock.now() - worker.startedAt >= LONG_LIFE_MS) place.delay = RESTART_MS;
    const { delay } = place;
    place.delay = Math.min(RESTART_MAX_MS, delay * 2);
    log.error(
      { worker: worker.number, pid: worker.pid, why, restartMs: delay },
      'worker has ended, and its connections with it',
    );
    place.cancel = clock.after(delay, () => {
      this.#restarts++;
      this.#startAt(place);
    });
    ended(worker);
  }
}
