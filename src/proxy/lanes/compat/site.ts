import type { Clock } from '../../../core/clock.ts';
import type { VaneError } from '../../../core/errors.ts';
import type { ClientAddress, RequestHead } from '../lane.ts';
import type { ClientSide } from './client-side.ts';
import type { BodyFraming } from './request-head.ts';

/** What an attempt has of the client's side. */
export interface AttemptSite {
  readonly head: RequestHead;
  readonly body: BodyFraming;
  readonly client: ClientAddress;
  readonly side: ClientSide;
  readonly clock: Clock;
  /** Milliseconds; 0: no limit. */
  readonly clientTimeout: number;
  /** Two attempts are under way. */
  readonly isDivided: () => boolean;
  /** The client was silent for too long. To be answered by the attempt's `cancel`. */
  readonly onStalled: (error: VaneError) => void;
}
