import type { ObserveConfig } from '../../config/runtime/servers.ts';
import type { LeaseOutcome } from './lease.ts';
import { evidenceOf } from './steering.ts';

/** Counts what the work of a server meets, as HAProxy's `observe` does (configuration manual, section 5.2). */
export class ObservedErrors {
  #inARow = 0;

  /** True: so many errors in a row that something is to be done about it; it begins anew then. */
  take(outcome: LeaseOutcome, { layer, limit }: ObserveConfig): boolean {
    const evidence = evidenceOf(outcome);
    const connected = outcome.connectMs !== undefined;
    if (layer === 'layer4' ? connected : evidence === 'good') this.#inARow = 0;
    else if (evidence === 'connect-failed' || (layer === 'layer7' && evidence === 'failed')) this.#inARow++;
    if (this.#inARow < limit) return false;
    this.#inARow = 0;
    return true;
  }
}
