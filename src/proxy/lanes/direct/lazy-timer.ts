import type { Cancel, Clock } from '../../../core/clock.ts';

/**
 * One deadline that is moved all the time and seldom reached. The timer behind it is left alone: when it is due it
 * looks whether it should have been.
 */
export class LazyTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #dueAt = Number.POSITIVE_INFINITY;
  #firesAt = Number.POSITIVE_INFINITY;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /**
   * Replaces the deadline.
   * @param wait ms from `now` on; 0: none
   */
  set(wait: number, now: number): void {
    this.#dueAt = wait > 0 ? now + wait : Number.POSITIVE_INFINITY;
    if (this.#dueAt < this.#firesAt) this.#arm(now);
  }

  /** No deadline until the next {@link set}. */
  clear(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  /** Leaves no timer behind. */
  stop(): void {
    this.clear();
    this.#cancel?.();
    this.#cancel = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }

  #arm(now: number): void {
    this.#cancel?.();
    this.#firesAt = this.#dueAt;
    // Timers may fire a fraction early; a whole millisecond avoids spinning on it.
    this.#cancel = this.#clock.after(Math.max(1, this.#dueAt - now), () => this.#fired());
  }

  #fired(): void {
    this.#cancel = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    if (this.#dueAt === Number.POSITIVE_INFINITY) return;
    const now = this.#clock.now();
    if (this.#dueAt > now) this.#arm(now);
    else {
      this.clear();
      this.#onDue();
    }
  }
}
