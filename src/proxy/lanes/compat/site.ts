import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import type { VaneError } from '../../../core/errors.ts';
import type { RequestHead } from '../lane.ts';
import type { KeptBody } from './kept-body.ts';
import type { Reply } from './reply.ts';
import type { BodyFraming } from './request-head.ts';

/** What an attempt has of the client's side. */
export interface AttemptSite {
  readonly head: RequestHead;
  readonly body: BodyFraming;
  readonly incoming: IncomingMessage;
  /** Of its body. */
  readonly kept: KeptBody;
  readonly reply: Reply;
  readonly client: Socket;
  /** What the client sent behind the head of an upgrade. */
  readonly first: Buffer | undefined;
  readonly clock: Clock;
  /** Milliseconds; 0: no limit. */
  readonly clientTimeout: number;
  /** The client was silent for too long. To be answered by the attempt's `cancel`. */
  readonly onStalled: (error: VaneError) => void;
}
