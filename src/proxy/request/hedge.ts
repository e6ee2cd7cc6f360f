import type { Cancel, Clock } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import type { Hedges } from '../plane/hedges.ts';
import type { LeasedAttempt } from './leased-attempt.ts';

/** What became of the attempt that was made besides: the client got its answer, or not. */
export type HedgeResult = 'won' | 'lost';

/**
 * The attempts of one request that may be at two servers at once: when it is time for a second one beside one that is
 * slow to be answered, and which of the two counts. There is one such second attempt in the life of a request.
 */
export class Hedge {
  /** Undefined: there was none. */
  result: HedgeResult | undefined;
  readonly #hedges: Hedges;
  readonly #clock: Clock;
  readonly #onSlow: (first: LeasedAttempt) => void;
  /** Those under way. */
  #first: LeasedAttempt | undefined;
  #second: LeasedAttempt | undefined;
  #cancelTimer: Cancel | undefined;

  /** @param onSlow a second attempt may be made, to be told of by {@link divide} */
  constructor(hedges: Hedges, clock: Clock, onSlow: (first: LeasedAttempt) => void) {
    this.#hedges = hedges;
    this.#clock = clock;
    this.#onSlow = onSlow;
  }

  /** Two attempts are under way. */
  get isDivided(): boolean {
    return this.#first !== undefined && this.#second !== undefined;
  }

  /** An attempt begins that is the only one. */
  begin(attempt: LeasedAttempt): void {
    this.#first = attempt;
    const delay = this.result === undefined ? this.#hedges.delay : undefined;
    if (delay === undefined) return;
    this.#cancelTimer = this.#clock.after(delay, () => {
      this.#cancelTimer = undefined;
      if (this.#first) this.#onSlow(this.#first);
    });
  }

  /** An attempt begins beside the only one. */
  divide(second: LeasedAttempt): void {
    this.#second = second;
    this.result = 'lost';
    this.#hedges.sent++;
  }

  /** An attempt goes on as another, over another connection to its server. */
  replace(attempt: LeasedAttempt, by: LeasedAttempt): void {
    if (attempt === this.#second) this.#second = by;
    else this.#first = by;
  }

  /** The answer to this attempt is the one that counts: nothing is waited for any longer. */
  answered(attempt: LeasedAttempt): void {
    const [first, second] = [this.#first, this.#second];
    this.#first = this.#second = undefined;
    this.#stop();
    const now = this.#clock.now();
    if (first) this.#hedges.answered(now - first.startedAt, now);
    if (attempt === second) {
      this.result = 'won';
      this.#hedges.won++;
    }
    const loser = attempt === second ? first : second;
    loser?.lose(new VaneError('HEDGED', `server ${attempt.server.name} answered first`));
  }

  /** An attempt has come to nothing. True: the other one is still under way. */
  ended(attempt: LeasedAttempt): boolean {
    if (attempt === this.#second) {
      this.#second = undefined;
      return this.#first !== undefined;
    }
    this.#first = undefined;
    this.#stop();
    return this.#second !== undefined;
  }

  #stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
