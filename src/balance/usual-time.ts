/** Samples before there is anything to say. */
const LEAST_SAMPLES = 16;

/**
 * How long something usually takes at most: its mean and four times its mean deviation, as TCP waits for an
 * acknowledgement (RFC 6298, section 2, where the weights are from too).
 */
export class UsualTime {
  #mean = 0;
  #deviation = 0;
  #samples = 0;

  add(ms: number): void {
    if (this.#samples === 0) {
      this.#mean = ms;
      this.#deviation = ms / 2;
    } else {
      this.#deviation += (Math.abs(ms - this.#mean) - this.#deviation) / 4;
      this.#mean += (ms - this.#mean) / 8;
    }
    this.#samples++;
  }

  /** ms; undefined: too little is known. */
  get most(): number | undefined {
    return this.#samples < LEAST_SAMPLES ? undefined : this.#mean + 4 * this.#deviation;
  }
}
