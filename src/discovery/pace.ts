/** For each ms that changes of a name keep the process busy, it is to have so many for everything else. */
const REST_PER_WORK = 9;
/** Rest that may be owed before any change has to wait for it, ms: a few changes are never held up. */
const CREDIT_MS = 250;
/** How long a change waits at most, ms: servers that are gone must not get requests for long. */
const LONGEST_WAIT_MS = 25;

/**
 * Keeps a name that changes all the time, and that many follow, from taking all the time there is: changes are told at
 * once until telling them has taken more than its share, and then several together.
 */
export class Pace {
  /** Clock ms at which nothing will be owed any more. */
  #paid = Number.NEGATIVE_INFINITY;

  /** How long a change that is heard of now is to wait, ms. */
  wait(now: number): number {
    return Math.min(Math.max(0, this.#paid - CREDIT_MS - now), LONGEST_WAIT_MS);
  }

  /** Telling a change has taken this time, clock ms. */
  told(from: number, to: number): void {
    const owed = Math.max(this.#paid, to) + (to - from) * REST_PER_WORK;
    this.#paid = Math.min(owed, to + CREDIT_MS + LONGEST_WAIT_MS);
  }
}
