import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import type { VaneError } from '../../../core/errors.ts';
import type { BodyFraming } from '../compat/request-head.ts';
import type { Attempt, AttemptOutcome, ClientAddress, RequestHead } from '../lane.ts';
import type { ServerAttempt } from './attempt.ts';
import type { LazyTimer } from './lazy-timer.ts';
import type { RequestBody } from './request-body.ts';

/** A request as attempts have it, by whatever version of HTTP its client speaks. */
export interface ForwardedRequest {
  readonly head: RequestHead;
  readonly client: ClientAddress;
  readonly framing: BodyFraming;
  /** Undefined: none follows. */
  readonly body: RequestBody | undefined;
  /** The client has sent all of it. */
  readonly complete: boolean;
  readonly side: AnswerSide;
  /** Asks the client that waits for it for the body. */
  askForBody(): void;
  /**
   * Passes on an interim answer; not to clients that do not know them, or are slow to take what they have, nor while two
   * attempts are under way.
   */
  inform(status: number, headers: readonly string[]): void;
  /**
   * Makes the head of the answer ready; it goes out with what is written next.
   * @param close the connection shall not outlive this answer
   * @throws where the client's version of HTTP has no place for it; nothing was sent then
   */
  begin(head: AnswerHead, close: boolean): void;
  /**
   * Gives the client's connection away, behind the head of the answer that switches protocols on it, together with
   * what was read ahead. Undefined: it has other requests too.
   */
  readonly handOver: ((head: string) => { readonly socket: Socket; readonly first?: Buffer }) | undefined;
  /** The client is gone or out of time: whatever is under way ends. */
  abort(error: VaneError): void;
  /** Told by an attempt that it has ended. */
  attempted(ended: ServerAttempt, attempt: Attempt, outcome: AttemptOutcome): void;
}

/** What an attempt has of the client. */
export interface AnswerSide {
  readonly out: AnswerWriter;
  /** The request's alone as long as it is under way, and of its attempts the first one's. */
  readonly timer: LazyTimer;
  readonly clock: Clock;
  /** The client's silence allowed, ms, as it holds now; 0: no limit. */
  readonly clientTimeout: number;
  /** Reads on, or stops reading, as the request's body is taken. */
  flow(): void;
}

/** An answer's head as it goes to the client. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** End-to-end fields and Content-Length. Flat: name, then value. */
  readonly headers: readonly string[];
  /** Its end is known without closing the connection: it has a length, or no body. */
  readonly framed: boolean;
}

/** Takes the body of the answer whose head was made ready. */
export interface AnswerWriter {
  /** More is waiting than should: the request hears when there is room again. */
  readonly full: boolean;
  /** Everything written is on its way. */
  readonly flushed: boolean;
  /** Calls `fn` once everything written is on its way; never if the client breaks off first. */
  onFlushed(fn: () => void): void;
  /**
   * Writes the next piece, from `from` up to `to`, which may be empty. The bytes are only lent, see `passOn`.
   * @param last the answer ends with it
   * @param trailers for those that have a place for them. Flat: name, then value
   */
  write(bytes: Buffer, from: number, to: number, last: boolean, trailers?: readonly string[]): void;
  /** Breaks the answer off, so that the client cannot take it for whole. */
  cut(): void;
}
