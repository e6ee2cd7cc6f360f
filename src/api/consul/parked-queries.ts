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
  readonly #parked = new Set<AbortController>();
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
    if (this.#catalog.indexOf(query) > index) return true;
    return this.hold((signal) => this.#catalog.changed(query, index, signal), deadline, onGone);
  }

  /**
   * The same for what is not in the catalog: `happens` resolves once there is something to tell, and rejects with
   * the signal's reason.
   */
  async hold(
    happens: (signal: AbortSignal) => Promise<void>,
    deadline: number,
    onGone: (fn: () => void) => Cancel,
  ): Promise<boolean> {
    const left = deadline - this.#clock.now();
    if (this.#released || left <= 0) return false;
    if (this.#parked.size >= this.#limit) {
      throw new Refusal(429, `More than ${this.#limit} blocking queries are waiting already`);
    }
    const waiting = new AbortController();
    const wake = () => waiting.abort();
    this.#parked.add(waiting);
    const cancelTimer = this.#clock.after(left, wake);
    const cancelGone = onGone(wake);
    try {
      await happens(waiting.signal);
      return true;
    } catch (error) {
      if (waiting.signal.aborted) return false;
      throw error;
    } finally {
      cancelTimer();
      cancelGone();
      this.#parked.delete(waiting);
    }
  }

  /** Wakes all that wait, and lets nothing wait any more. */
  release(): void {
    this.#released = true;
    for (const waiting of [...this.#parked]) waiting.abort();
  }
}
