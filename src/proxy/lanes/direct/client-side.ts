import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import type { DateText } from './date-text.ts';
import type { LazyTimer } from './lazy-timer.ts';
import type { MessageWriter } from './message-writer.ts';

/** What a request has of the client's connection that it came over. */
export interface ClientSide {
  readonly socket: Socket;
  readonly out: MessageWriter;
  /** The connection's only timer; the request's while there is one. */
  readonly timer: LazyTimer;
  readonly clock: Clock;
  readonly dates: DateText;
  /** The client's silence allowed, ms, as it holds now; 0: no limit. */
  readonly clientTimeout: number;
  /** Read for this request so far. */
  readonly bytesIn: number;
  /** The client has ended its side, and no other request waits. */
  readonly isLast: boolean;
  /** Reads on, or stops reading, as the request's body is taken. */
  flow(): void;
  /** Gives the socket away, without any listener that would read it; returns what was read ahead. */
  handOver(): Buffer | undefined;
  /**
   * The request is over.
   * @param keep the connection may go on
   * @param saidAll the client is not in the middle of saying something
   */
  over(keep: boolean, saidAll: boolean): void;
}
