import type { CheckStatus } from '../registry/model.ts';

/**
 * Consul's `success_before_passing` and `failures_before_critical`: how many equal results in a row it takes
 * until one counts. Both counters start full, so the first result always counts; 0 and 1 mean "at once".
 * While a result does not count, the check keeps its old status and its old output.
 */
export class ConsulThreshold {
  readonly #successBeforePassing: number;
  readonly #failuresBeforeCritical: number;
  #successes: number;
  #failures: number;

  constructor(options: { successBeforePassing: number; failuresBeforeCritical: number }) {
    this.#successBeforePassing = this.#successes = options.successBeforePassing;
    this.#failuresBeforeCritical = this.#failures = options.failuresBeforeCritical;
  }

  /** Takes one result; true when it is to be reported. A warning counts as a success, as in Consul. */
  admits(status: CheckStatus): boolean {
    if (status === 'critical') {
      this.#failures += 1;
      this.#successes = 0;
      return this.#failures >= this.#failuresBeforeCritical;
    }
    this.#successes += 1;
    this.#failures = 0;
    return this.#successes >= this.#successBeforePassing;
  }
}

/** Up without credit; down, and the next success takes it up; or down with nothing won yet. */
export type RiseFallStart = 'up' | 'nearly up' | 'down';

/**
 * HAProxy's `rise` and `fall` (configuration manual, section 5.2), as its one health number: below `rise` the
 * server is down and counts successes, from `rise` on it is up and counts down failures; the top is
 * `rise + fall - 1`. A new server is up with exactly `rise`, so that its first failure takes it down.
 */
export class RiseFall {
  readonly rise: number;
  readonly fall: number;
  #health: number;

  constructor(options: { rise: number; fall: number }, start: RiseFallStart = 'up') {
    this.rise = options.rise;
    this.fall = options.fall;
    this.#health = start === 'up' ? this.rise : start === 'nearly up' ? this.rise - 1 : 0;
  }

  get up(): boolean {
    return this.#health >= this.rise;
  }

  /** It is as far up or down as it gets: no change is under way. */
  get settled(): boolean {
    return this.#health === this.#top || this.#health === 0;
  }

  /** HAProxy's `check_health` column: 0 … rise + fall - 1. */
  get health(): number {
    return this.#health;
  }

  /** The stats `status` column: `UP`, `UP 1/3` (one failure left of three), `DOWN`, `DOWN 1/2`. */
  get position(): string {
    if (this.#health >= this.#top) return 'UP';
    if (this.up) return `UP ${this.#health - this.rise + 1}/${this.fall}`;
    return this.#health === 0 ? 'DOWN' : `DOWN ${this.#health}/${this.rise}`;
  }

  /** So few failures more take it down; one that is down is left as it is. */
  allowFailures(count: number): void {
    if (this.up) this.#health = Math.min(this.#health, this.rise + count - 1);
  }

  /** Takes one result; true when the server went up or down by it. */
  record(ok: boolean): boolean {
    const wasUp = this.up;
    if (ok) this.#health = this.#health + 1 >= this.rise ? this.#top : this.#health + 1;
    else this.#health = this.#health > this.rise ? this.#health - 1 : 0;
    return this.up !== wasUp;
  }

  get #top(): number {
    return this.rise + this.fall - 1;
  }
}
