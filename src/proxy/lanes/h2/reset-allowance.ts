/** Streams that may break off at once. */
const AT_ONCE = 200;
const PER_SECOND = 33;

/**
 * How many streams of one connection may end before their answers do, by the client's resets (CVE-2023-44487) or by
 * faults that have them reset (CVE-2025-8671): such streams do not count among those that are open, but make work.
 */
export class ResetAllowance {
  #left = AT_ONCE;
  #at: number;

  /** @param now clock ms */
  constructor(now: number) {
    this.#at = now;
  }

  /**
   * Takes one.
   * @returns false: there were too many
   */
  take(now: number): boolean {
    this.#left = Math.min(AT_ONCE, this.#left + ((now - this.#at) / 1000) * PER_SECOND) - 1;
    this.#at = now;
    return this.#left >= 0;
  }
}
