import { VaneError } from '../core/errors.ts';

/**
 * Lets so many pass at once and so many more wait, first come first served. Whoever was let in must call
 * {@link leave}.
 */
export class Gate {
  readonly #limit: number;
  readonly #queueLimit: number;
  readonly #queue = new Set<() => void>();
  #inside = 0;

  constructor(limit: number, queueLimit: number) {
    this.#limit = limit;
    this.#queueLimit = queueLimit;
  }

  /** Rejects with RESOLVE_FAILED when too many wait already, with the signal's reason when it aborts. */
  enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#inside < this.#limit) {
      this.#inside += 1;
      return Promise.resolve();
    }
    if (this.#queue.size >= this.#queueLimit) {
      const message = `${this.#queueLimit} look-ups are waiting already`;
      return Promise.reject(new VaneError('RESOLVE_FAILED', message));
    }
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#queue.delete(admit);
        reject(signal.reason);
      };
      this.#queue.add(admit);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  leave(): void {
    for (const admit of this.#queue) {
      // The place is handed on: nobody can slip in between.
      this.#queue.delete(admit);
      admit();
      return;
    }
    this.#inside -= 1;
  }
}
