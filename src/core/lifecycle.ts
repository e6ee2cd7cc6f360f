import { type Clock, systemClock } from './clock.ts';
import { messageOf } from './errors.ts';
import { type Log, silentLog } from './log.ts';

/** Something that is started once and stopped once. */
export interface Part {
  readonly name: string;
  /** Rejects if the part cannot run; it must then hold nothing (no socket, no timer). */
  start(): Promise<void>;
  /**
   * Ends gracefully, and by force once `deadline` (clock milliseconds) has passed. Idempotent.
   * Must be safe to call on a part whose start failed.
   */
  stop(deadline: number): Promise<void>;
}

/**
 * Starts parts in order and stops them in reverse. If one fails to start, those already started are
 * stopped and the failure is thrown: nothing is left half up.
 */
export class Lifecycle {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #running: Part[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: { clock?: Clock; log?: Log } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
  }

  /** Starts one part and takes charge of stopping it. */
  async start(part: Part): Promise<void> {
    if (this.#stopping) throw new Error(`cannot start ${part.name}: stopping`);
    try {
      await part.start();
    } catch (error) {
      await this.stop(this.#clock.now());
      throw error;
    }
    this.#running.push(part);
  }

  /** Stops everything in reverse order. A part that fails or overstays the deadline does not hold up the rest. */
  stop(deadline: number): Promise<void> {
    this.#stopping ??= this.#stopAll(deadline);
    return this.#stopping;
  }

  async #stopAll(deadline: number): Promise<void> {
    for (const part of this.#running.splice(0).reverse()) {
      try {
        await this.#within(part.stop(deadline), deadline + FORCED_STOP_MS, part.name);
      } catch (error) {
        this.#log.error({ part: part.name, error: messageOf(error) }, 'part did not stop cleanly');
      }
    }
  }

  #within(work: Promise<void>, limit: number, name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(limit - this.#clock.now(), () =>
        reject(new Error(`${name} is still stopping after its deadline`)),
      );
      work.then(resolve, reject).finally(cancel);
    });
  }
}

/** How long past the deadline a part may take to cut what it holds. */
const FORCED_STOP_MS = 2_000;
