/** Buckets grow by a tenth each, so that a value is told within a tenth; the first ends at 0.1 ms, the last at 7 min. */
const GROWTH = 1.1;
const FIRST_MS = 0.1;
const BUCKETS = 160;
/** A generation is filled for so long at least, ms: what counts is of the last two. */
const GENERATION_MS = 10_000;
/** Samples that must be above a quantile before it is told: it hangs on these. */
const LEAST_ABOVE = 5;

/**
 * A quantile of recent times, out of two histograms: one that is being filled and the one from before. A generation ends
 * when it is old enough and holds enough to speak for itself: little traffic has a longer memory. Times are clock ms.
 */
export class RecentQuantile {
  readonly share: number;
  readonly #least: number;
  #newer = new Uint32Array(BUCKETS);
  #older = new Uint32Array(BUCKETS);
  #newerCount = 0;
  #olderCount = 0;
  #since: number | undefined;

  /** @param share which quantile, 0 to 1 */
  constructor(share: number) {
    this.share = share;
    // Less the errors of binary fractions: 1 - 0.95 is a little more than 0.05.
    this.#least = Math.ceil(LEAST_ABOVE / (1 - share) - 1e-6);
  }

  /** @param ms a time that something has taken */
  add(ms: number, now: number): void {
    this.#since ??= now;
    if (now - this.#since >= GENERATION_MS && this.#newerCount >= this.#least) this.#turn(now);
    const bucket = bucketOf(ms);
    this.#newer[bucket] = (this.#newer[bucket] ?? 0) + 1;
    this.#newerCount++;
  }

  /** ms within which that share of the times was, at most a tenth too much; undefined: too little is known. */
  get value(): number | undefined {
    const count = this.#newerCount + this.#olderCount;
    if (count < this.#least) return undefined;
    let below = count * this.share;
    for (let i = 0; i < BUCKETS; i++) {
      below -= (this.#newer[i] ?? 0) + (this.#older[i] ?? 0);
      if (below <= 1e-6) return FIRST_MS * GROWTH ** i;
    }
    return FIRST_MS * GROWTH ** (BUCKETS - 1);
  }

  #turn(now: number): void {
    [this.#newer, this.#older] = [this.#older.fill(0), this.#newer];
    this.#olderCount = this.#newerCount;
    this.#newerCount = 0;
    this.#since = now;
  }
}

/** The first whose end is not below `ms`. */
function bucketOf(ms: number): number {
  if (ms <= FIRST_MS) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH)));
}
