import { VaneError } from '../core/errors.ts';
import { Overtaken } from './commits.ts';

/** Each time somebody else got in before; so often in a row only where many fight for one row. */
const MOST_ATTEMPTS = 32;

/**
 * Does a command again, from what is committed by then, for as long as other processes' commits get in before its own.
 * Rejects as `work` does, and with STORE_FAILED when that goes on for too long.
 */
export async function planAgain<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      if (!(thrown instanceof Overtaken)) throw thrown;
    }
  }
  throw new VaneError('STORE_FAILED', 'other nodes change the same rows too often: try again');
}
