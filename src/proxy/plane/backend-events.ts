import type { OutlierChange } from '../../balance/outlier.ts';
import type { ServerSnapshot } from '../../balance/server.ts';
import type { VaneError } from '../../core/errors.ts';
import type { StickEntry } from '../stick/stick-table.ts';

/** What a backend has to say of its servers, as it happens. */
export interface BackendEvents {
  /** A draining server holds no work any more. */
  idle(server: ServerSnapshot): void;
  /** Work met a fault of a server; already limited in number. */
  trouble(server: ServerSnapshot, error: VaneError): void;
  /** New work passes a server over from now on, or does so no more. */
  steered(server: ServerSnapshot, change: OutlierChange): void;
  /** Other planes are to know whose a client is. */
  stuck?(entry: StickEntry): void;
  /** As many errors in a row as its `observe` wants to be told of. */
  observed(server: ServerSnapshot): void;
  /** A server is gone while that much work was under way on it, which is being ended. */
  cut(server: ServerSnapshot, count: number): void;
  /** So much work on a backup is being ended, as others are up. */
  spared(server: ServerSnapshot, count: number): void;
}
