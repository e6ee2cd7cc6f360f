import { VaneError } from '../core/errors.ts';

/** Bytes of values whose writes wait for their turn or are under way; more at once are turned away. */
const MOST_BYTES = 64 * 1024 * 1024;

/** What the values of waiting writes take: those of one key wait for each other, and each can be large. */
export class Backlog {
  #bytes = 0;

  /** Runs `work` with its values counted. Rejects with STORE_FAILED when too much waits already. */
  async with<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (bytes > 0 && this.#bytes + bytes > MOST_BYTES) {
      throw new VaneError('STORE_FAILED', 'too many changes of the key/value store are waiting');
    }
    this.#bytes += bytes;
    try {
      return await work();
    } finally {
      this.#bytes -= bytes;
    }
  }
}
