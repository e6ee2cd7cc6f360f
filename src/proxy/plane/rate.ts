/**
 * Events per second over a sliding second, as HAProxy's frequency counters do: this second's count plus the
 * part of the previous second's that still overlaps. Constant memory; times are clock milliseconds.
 */
export class Rate {
  #second = 0;
  #current = 0;
  #previous = 0;
  #max = 0;

  hit(now: number): void {
    this.#turn(now);
    this.#current++;
    this.#max = Math.max(this.#max, this.#read(now));
  }

  read(now: number): number {
    this.#turn(now);
    return this.#read(now);
  }

  get max(): number {
    return this.#max;
  }

  #turn(now: number): void {
    const second = Math.floor(now / 1000);
    if (second <= this.#second) return;
    this.#previous = second === this.#second + 1 ? this.#current : 0;
    this.#current = 0;
    this.#second = second;
  }

  #read(now: number): number {
    const left = Math.max(0, 1 - (now - this.#second * 1000) / 1000);
    return Math.round(this.#current + this.#previous * left);
  }
}
