import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { keepHeapTight } from '../proxy/plane/heap.ts';
import type { PlaneNews } from '../proxy/plane/messages.ts';
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
  /** A worker is there: tells it all there is to know. Resolves once it is up; rejects with INTERNAL. */
  readonly started: (worker: Worker) => Promise<void>;
  /** A worker is no more; it is not among the workers by then. */
  readonly ended: (worker: Worker) => void;
  readonly news: (worker: Worker, message: PlaneNews) => void;
}

/** A place for one worker at a time. */
export interface Place {
  readonly number: number;
  worker: Worker | undefined;
  /** Is to take the worker's place, and is not up yet. */
  next: Worker | undefined;
  /** Until the next one is started when this one ends. */
  delay: number;
  cancel: Cancel | undefined;
}

/**
 * Keeps a number of worker processes running: one that ends is replaced by another, again and again, and one that
 * still runs when it is asked for.
 */
export class WorkerCrew {
  readonly places: readonly Place[];
  readonly #options: WorkerCrewOptions;
  /** Others have taken their places. */
  readonly #leaving = new Set<Worker>();
  /** Resolve when a worker that was started is up, or is not going to be. */
  readonly #starting = new Set<Promise<void>>();
  #restarts = 0;
  #closing = false;

  constructor(options: WorkerCrewOptions) {
    this.#options = options;
    this.places = Array.from({ length: options.size }, (_, i) => ({
      number: i + 1,
      worker: undefined,
      next: undefined,
      delay: RESTART_MS,
      cancel: undefined,
    }));
  }

  /** Those that run and are not leaving, in order. */
  get workers(): readonly Worker[] {
    return this.places.flatMap(({ worker, next }) => [worker ?? [], next ?? []].flat());
  }

  /** All that run. */
  get all(): readonly Worker[] {
    return [...this.workers, ...this.#leaving];
  }

  /** How many places have a worker. */
  get running(): number {
    return this.places.filter(({ worker }) => worker).length;
  }

  /** Those that finish what they have, for others have taken their places. */
  get draining(): number {
    return this.#leaving.size;
  }

  /** Workers started in place of one that had ended. */
  get restarts(): number {
    return this.#restarts;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Resolves once all have answered; rejects with INTERNAL when one cannot be started, and then none is left. */
  async start(): Promise<void> {
    keepHeapTight();
    for (const place of this.places) this.#startAt(place);
    try {
      await Promise.all(this.workers.map((worker) => worker.collect(START_WITHIN_MS)));
    } catch (error) {
      this.close();
      for (const worker of this.workers) worker.kill();
      throw new VaneError('INTERNAL', `workers cannot be started: ${messageOf(error)}`);
    }
  }

  /**
   * The first worker that answers within so many ms: one that is stuck, or not up yet, is to keep nobody. Resolves to
   * undefined where none does. Starts one now if all are waiting to be started.
   */
  lead(within: number): Promise<Worker | undefined> {
    this.#ensure();
    const asked = this.workers.map((worker) => worker.collect(within).then(() => worker));
    return Promise.any(asked).catch(() => undefined);
  }

  #ensure(): void {
    const [place] = this.places;
    if (this.#closing || this.workers.length > 0 || !place) return;
    place.cancel?.();
    this.#restarts++;
    this.#startAt(place);
  }

  /**
   * Starts a worker that takes the place of another once it is up. Resolves then, to the other one, which is to be
   * {@link retire}d; to undefined when that has ended by itself meanwhile. Rejects with INTERNAL when the new one does
   * not come up, or all are told to end; then the other one stays where it is.
   */
  async replace(place: Place): Promise<Worker | undefined> {
    place.cancel?.();
    place.cancel = undefined;
    const next = this.#spawnAt(place);
    place.next = next;
    try {
      await this.#up(next);
    } catch (error) {
      next.kill();
      throw error;
    }
    if (this.#closing) throw new VaneError('INTERNAL', 'Vane is stopping');
    if (place.next !== next) throw new VaneError('INTERNAL', 'it has ended already');
    const before = place.worker;
    place.next = undefined;
    place.worker = next;
    place.delay = RESTART_MS;
    if (before) this.#leaving.add(before);
    else this.#restarts++;
    return before;
  }

  /**
   * Has a worker finish what it has, and end. Resolves when it is no more, to how much had to be cut; undefined: it
   * ended otherwise.
   */
  async retire(worker: Worker, withinMs: number): Promise<number | undefined> {
    let cut: number | undefined;
    try {
      cut = await worker.retire(withinMs);
      // Its last word, so that nothing it has counted is lost.
      await worker.collect();
      worker.leave();
      await this.#gone([worker]);
    } catch {
      // Too late, or gone already, which those who wait for its end are told as well.
      worker.kill();
      await worker.over;
    }
    return cut;
  }

  /** No worker is started any more. */
  close(): void {
    this.#closing = true;
    for (const place of this.places) place.cancel?.();
  }

  /** Waits for those that were started to be up, but no longer than so many ms. */
  async settled(withinMs: number): Promise<void> {
    if (this.#starting.size === 0) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(withinMs, resolve);
    await Promise.race([Promise.all(this.#starting), late]);
    cancel();
  }

  /** Ends those that are leaving after so many ms, whatever they were told; returns what takes that back. */
  hurry(withinMs: number): Cancel {
    return this.#options.clock.after(withinMs, () => {
      for (const worker of this.#leaving) worker.kill();
    });
  }

  /** Has them end, and ends them by force when that takes too long. */
  async stop(): Promise<void> {
    this.close();
    const leaving = this.all;
    for (const worker of leaving) worker.leave();
    await this.#gone(leaving);
  }

  /** Waits for the end of workers that were told so. */
  async #gone(workers: readonly Worker[]): Promise<void> {
    const cancel = this.#options.clock.after(LEAVE_WITHIN_MS, () => {
      for (const worker of workers) worker.kill();
    });
    await Promise.all(workers.map((worker) => worker.over));
    cancel();
  }

  #startAt(place: Place): Worker {
    const { log } = this.#options;
    place.cancel = undefined;
    const worker = this.#spawnAt(place);
    place.worker = worker;
    this.#up(worker).catch((error) => {
      log.warn({ worker: worker.number, error: messageOf(error) }, 'worker has not come up yet');
    });
    return worker;
  }

  /** Rejects with INTERNAL when it is not going to be. */
  #up(worker: Worker): Promise<void> {
    const up = this.#options.started(worker);
    const settled = up
      .catch(() => undefined)
      .finally(() => {
        this.#starting.delete(settled);
      });
    this.#starting.add(settled);
    return up;
  }

  #spawnAt(place: Place): Worker {
    const { clock, log, spawn, news } = this.#options;
    const worker: Worker = new Worker({
      number: place.number,
      process: spawn(),
      clock,
      news: (message) => news(worker, message),
      ended: (why) => this.#ended(place, worker, why),
    });
    log.info({ worker: worker.number, pid: worker.pid }, 'worker has been started');
    return worker;
  }

  #ended(place: Place, worker: Worker, why: string): void {
    const { log, ended } = this.#options;
    const fields = { worker: worker.number, pid: worker.pid, why };
    const wasNext = place.next === worker;
    const isWanted = !this.#leaving.delete(worker) && !wasNext;
    if (wasNext) place.next = undefined;
    else if (isWanted) place.worker = undefined;
    if (this.#closing) log.debug(fields, 'worker has ended');
    else if (isWanted) this.#lost(place, worker, fields);
    else log.info(fields, 'worker has ended');
    // Its place may have become empty while it was to take it.
    if (!this.#closing && wasNext && !place.worker) this.#armRestart(place);
    ended(worker);
  }

  #lost(place: Place, worker: Worker, fields: object): void {
    const { clock, log } = this.#options;
    if (clock.now() - worker.startedAt >= LONG_LIFE_MS) place.delay = RESTART_MS;
    const restartMs = place.next ? 0 : place.delay;
    log.error({ ...fields, restartMs }, 'worker has ended, and its connections with it');
    if (!place.next) this.#armRestart(place);
  }

  #armRestart(place: Place): void {
    const { delay } = place;
    place.delay = Math.min(RESTART_MAX_MS, delay * 2);
    place.cancel = this.#options.clock.after(delay, () => {
      this.#restarts++;
      this.#startAt(place);
    });
  }
}
