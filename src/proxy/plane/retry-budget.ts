import type { RetryBudgetConfig } from '../../config/runtime/backends.ts';

/** What the budget looks back on, in seconds. */
const WINDOW = 10;
/** How much of it may go to what can do without. */
const SPARE = 0.5;

/**
 * How many requests may be tried again: a share of all of the last ten seconds, and so many a second besides (as
 * Finagle and Linkerd do), so that retries cannot make many times the load of what is in trouble. Times are clock ms.
 */
export class RetryBudget {
  config: RetryBudgetConfig | undefined;
  readonly #requests = new Array<number>(WINDOW).fill(0);
  readonly #retries = new Array<number>(WINDOW).fill(0);
  #second = 0;
  /** Retries that were not made. */
  refused = 0;

  /** @param config undefined: retries cost nothing */
  constructor(config: RetryBudgetConfig | undefined) {
    this.config = config;
  }

  /** A request has come. */
  request(now: number): void {
    if (!this.config) return;
    this.#turn(now);
    const slot = this.#second % WINDOW;
    this.#requests[slot] = (this.#requests[slot] ?? 0) + 1;
  }

  /** Takes one retry out of the budget; false: it is used up. */
  take(now: number): boolean {
    const taken = this.#take(now, 1);
    if (!taken) this.refused++;
    return taken;
  }

  /**
   * Takes one for a request that nothing has failed yet; false: half of the budget is used up. The rest is left to
   * those that would fail without it.
   */
  takeSpare(now: number): boolean {
    return this.#take(now, SPARE);
  }

  /** @param share of the budget that may be used up with it */
  #take(now: number, share: number): boolean {
    if (!this.config) return true;
    this.#turn(now);
    const { percent, perSecond } = this.config;
    const allowed = (sum(this.#requests) * percent) / 100 + perSecond * WINDOW;
    if (sum(this.#retries) + 1 > allowed * share) return false;
    const slot = this.#second % WINDOW;
    this.#retries[slot] = (this.#retries[slot] ?? 0) + 1;
    return true;
  }

  #turn(now: number): void {
    const second = Math.floor(now / 1000);
    if (second <= this.#second) return;
    const passed = Math.min(WINDOW, second - this.#second);
    for (let i = 1; i <= passed; i++) {
      this.#requests[(this.#second + i) % WINDOW] = 0;
      this.#retries[(this.#second + i) % WINDOW] = 0;
    }
    // Slots of a longer pause are all empty: only where they begin differs.
    if (second - this.#second > WINDOW) {
      this.#requests.fill(0);
      this.#retries.fill(0);
    }
    this.#second = second;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
