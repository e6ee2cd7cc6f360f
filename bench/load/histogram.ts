/** Width of a class and number of classes: up to one second in steps of 10 µs. */
const STEP_MS = 0.01;
const CLASSES = 100_000;

/** Counts of durations, for percentiles in memory that does not grow. Longer than a second counts as a second. */
export class Histogram {
  readonly #counts = new Uint32Array(CLASSES + 1);
  #total = 0;

  add(milliseconds: number): void {
    const index = Math.min(CLASSES, Math.max(0, Math.round(milliseconds / STEP_MS)));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total++;
  }

  get total(): number {
    return this.#total;
  }

  /** The duration in ms that `share` (0 to 1) of all do not exceed; 0 of none. */
  percentile(share: number): number {
    const wanted = Math.ceil(this.#total * share);
    let seen = 0;
    for (let index = 0; index <= CLASSES; index++) {
      seen += this.#counts[index] ?? 0;
      if (seen >= wanted && seen > 0) return index * STEP_MS;
    }
    return 0;
  }
}
