import type { Cancel, Clock } from '../../core/clock.ts';
import type { CatalogReader, Query } from '../../registry/reader.ts';
import { Refusal } from './refusal.ts';

/** A part of the wait is random, so that clients which started together do not come back together. */
const JITTER_FRACTION = 16;

/**
 * The blocking queries that wait for something to happen. Each holds a timer and a subscription until it is
 * woken; there are never more than `limit`, and {@link release} ends them all.
 */
export class ParkedQueries {
  readonly #catalog: CatalogReader;
  readonly #clock: Clock;
  readonly #limit: number;
  /** What wakes each of them without anything having happened. */
  readonly #parked = new Set<() => void>();
  #released = false;

  constructor(options: { catalog: CatalogReader; clock: Clock; limit: number }) {
    this.#catalog = options.catalog;
    this.#clock = options.clock;
    this.#limit = options.limit;
  }

  get size(): number {
    return this.#parked.size;
  }

  /** When a wait of `ms` that starts now ends, in clock milliseconds, its random part included. */
  deadline(ms: number): number {
    return this.#clock.now() + ms + (Math.random() * ms) / JITTER_FRACTION;
  }

  /**
   * Resolves to true once the query's index is above `index`, and to false when the deadline has passed, the
   * client is gone or the server stops. Throws 429 when too many wait already.
   */
  async changed(
    query: Query,
    index: number,
    deadline: number,
    onGone: (fn: () => void) => Cancel,
  ): Promise<boolean> {
    const catalog = this.#catalog;
    if (catalog.indexOf(query) > index) return true;
    return this.#park(deadline, onGone, (wake) =>
      catalog.watch(query, () => {
        if (catalog.indexOf(query) > index) wake();
      }),
    );
  }

  /**
   * The same for what is not in the catalog: `happens` resolves once there is something to tell, and is given up by
   * its signal. Rejects with what it rejects with before that.
   */
  async hold(
    happens: (signal: AbortSignal) => Promise<void>,
    deadline: number,
    onGone: (fn: () => void) => Cancel,
  ): Promise<boolean> {
    return this.#park(deadline, onGone, (wake, fail) => {
      const waiting = new AbortController();
      // After the signal neither of them does anything.
      happens(waiting.signal).then(wake, fail);
      return () => waiting.abort();
    });
  }

  /** @param watch begins to watch, and calls back when there is something to tell or it has failed; returns its end */
  async #park(
    deadline: number,
    onGone: (fn: () => void) => Cancel,
    watch: (wake: () => void, fail: (error: unknown) => void) => Cancel,
  ): Promise<boolean> {
    const left = deadline - this.#clock.now();
    if (this.#released || left <= 0) return false;
    if (this.#parked.size >= this.#limit) {
      throw new Refusal(429, `More than ${this.#limit} blocking queries are waiting already`);
    }
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        if (!this.#parked.delete(giveUp)) return;
        unwatch();
        cancelTimer();
        cancelGone();
        settle();
      };
      const giveUp = () => end(() => resolve(false));
      this.#parked.add(giveUp);
      const cancelTimer = this.#clock.after(left, giveUp);
      const cancelGone = onGone(giveUp);
      const unwatch = watch(
        () => end(() => resolve(true)),
        (error) => end(() => reject(error)),
      );
    });
  }

  /** Wakes all that wait, and lets nothing wait any more. */
  release(): void {
    this.#released = true;
    for (const giveUp of [...this.#parked]) giveUp();
  }
}
