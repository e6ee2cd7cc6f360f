import { DURATION_BOUNDS, type DurationHistogram } from './counters.ts';

/** Counts whole requests by how long they took. */
export class Durations {
  readonly #buckets: number[] = new Array(DURATION_BOUNDS.length + 1).fill(0);
  #sum = 0;
  #count = 0;

  add(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    const found = DURATION_BOUNDS.findIndex((bound) => seconds <= bound);
    const bucket = found === -1 ? DURATION_BOUNDS.length : found;
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#sum += seconds;
    this.#count++;
  }

  read(): DurationHistogram {
    return { buckets: [...this.#buckets], sum: this.#sum, count: this.#count };
  }
}
