/** How long the past counts, ms: twice that at most. */
const REMEMBERED_MS = 10_000;
/** So many must have been served before the pace says anything. */
const LEAST_SERVED = 4;

/** How fast a queue moves: what was served of it over the time in which there was one. Times are clock ms. */
export class QueuePace {
  #served = 0;
  #busyMs = 0;
  /** Undefined: nobody waits. */
  #since: number | undefined;
  #idleSince = 0;

  /** The queue is not empty any more. */
  begin(now: number): void {
    if (this.#since !== undefined) return;
    // What was so long ago says nothing of now.
    if (now - this.#idleSince > REMEMBERED_MS) this.#served = this.#busyMs = 0;
    this.#since = now;
  }

  /** The queue is empty again. */
  end(now: number): void {
    if (this.#since === undefined) return;
    this.#fold(now);
    this.#since = undefined;
    this.#idleSince = now;
  }

  served(now: number): void {
    this.#served++;
    if (this.#since !== undefined) this.#fold(now);
  }

  /** How long the last of so many has to wait, ms; undefined: that cannot be told. */
  waitFor(length: number, now: number): number | undefined {
    if (this.#served < LEAST_SERVED) return undefined;
    const busy = this.#busyMs + (this.#since === undefined ? 0 : now - this.#since);
    return (length * busy) / this.#served;
  }

  #fold(now: number): void {
    this.#busyMs += now - (this.#since ?? now);
    this.#since = now;
    if (this.#busyMs <= 2 * REMEMBERED_MS) return;
    this.#busyMs /= 2;
    this.#served /= 2;
  }
}
