import type { Cancel, Clock } from '../../core/clock.ts';

/** Whose move it is: who has to send, or to take, the next bytes. */
export type Side = 'client' | 'server';

/**
 * Times the silence of whoever's turn it is (HAProxy: timeout client, timeout server). A side that waits for
 * the other is never blamed. One timer, moved lazily: telling it of progress costs a clock reading.
 */
export class TurnTimer {
  readonly #clock: Clock;
  readonly #limits: Readonly<Record<Side, number>>;
  readonly #onStall: (side: Side) => void;
  #side: Side | undefined;
  #last = 0;
  #cancel: Cancel | undefined;

  /** @param limits ms of silence allowed each side; 0: no limit */
  constructor(clock: Clock, limits: Readonly<Record<Side, number>>, onStall: (side: Side) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onStall = onStall;
  }

  /** Something moved, and it is `side`'s turn now. */
  turn(side: Side): void {
    this.#last = this.#clock.now();
    if (side === this.#side) return;
    this.stop();
    this.#side = side;
    this.#arm(this.#limits[side]);
  }

  /** Nobody's turn: nothing is timed until the next {@link turn}. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#side = undefined;
  }

  #arm(wait: number): void {
    if (wait <= 0) return;
    this.#cancel = this.#clock.after(wait, () => this.#due());
  }

  #due(): void {
    const side = this.#side;
    this.#cancel = undefined;
    if (side === undefined) return;
    const left = this.#last + this.#limits[side] - this.#clock.now();
    // Timers may fire a fraction early; a whole millisecond avoids spinning on it.
    if (left > 0) {
      this.#arm(Math.max(1, left));
      return;
    }
    this.#side = undefined;
    this.#onStall(side);
  }
}
