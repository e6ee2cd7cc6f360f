import type { Cancel } from '../core/clock.ts';

/**
 * A check over the network is at work for this long, ms; after that it waits for a server that hangs, which costs no more
 * than an open connection, and only as many of those as there are checks.
 */
export const SLOT_FOR_MS = 100;

/** Bounds how many checks are at work at once, first come, first served: no check can starve another. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(size: number) {
    this.#free = size;
  }

  /** Checks that wait for a slot. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Calls `start` as soon as a slot is free, at once if one is; it must call `release` when done. The
   * returned function gives up waiting; once started it does nothing.
   */
  take(start: (release: () => void) => void): Cancel {
    const begin = () => start(this.#releaseOnce());
    if (this.#free > 0) {
      this.#free -= 1;
      begin();
      return () => {};
    }
    this.#waiting.add(begin);
    return () => {
      this.#waiting.delete(begin);
    };
  }

  #releaseOnce(): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const [next] = this.#waiting;
      if (!next) {
        this.#free += 1;
        return;
      }
      this.#waiting.delete(next);
      next();
    };
  }
}
