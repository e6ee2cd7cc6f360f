import type { Cancel, Clock } from '../core/clock.ts';

/** A timer for the next of several times, which may change. */
export class NextTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #armed: { readonly at: number; readonly cancel: Cancel } | undefined;

  /** @param onDue is to set it anew where there is another time */
  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** @param at clock ms; undefined: there is none any more */
  set(at: number | undefined): void {
    if (this.#armed && this.#armed.at === at) return;
    this.#armed?.cancel();
    this.#armed = undefined;
    if (at === undefined) return;
    // Timers may fire a fraction early; a whole millisecond avoids spinning on it.
    const cancel = this.#clock.after(Math.max(1, at - this.#clock.now()), () => {
      this.#armed = undefined;
      this.#onDue();
    });
    this.#armed = { at, cancel };
  }
}
