/** How many samples an average remembers (HAProxy: TIME_STATS_SAMPLES). */
const SAMPLES = 1024;

/**
 * A running average over about the last 1024 samples, and the largest ever seen. The first samples count in
 * full, so that a young average is right from its first value on.
 */
export class Average {
  #mean = 0;
  #count = 0;
  #max = 0;

  add(value: number): void {
    if (this.#count < SAMPLES) this.#count++;
    this.#mean += (value - this.#mean) / this.#count;
    if (value > this.#max) this.#max = value;
  }

  get mean(): number {
    return Math.round(this.#mean);
  }

  get max(): number {
    return Math.round(this.#max);
  }
}
