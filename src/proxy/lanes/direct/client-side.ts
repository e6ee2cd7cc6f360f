import type { Socket } from 'node:net';
import type { DateText } from './date-text.ts';
import type { AnswerSide } from './forwarded-request.ts';
import type { MessageWriter } from './message-writer.ts';

/** What a request has of the client's connection that it came over. */
export interface ClientSide extends AnswerSide {
  readonly socket: Socket;
  readonly out: MessageWriter;
  readonly dates: DateText;
  /** Read for this request so far. */
  readonly bytesIn: number;
  /** The client has ended its side, and no other request waits. */
  readonly isLast: boolean;
  /** Gives the socket away, without any listener that would read it; returns what was read ahead. */
  handOver(): Buffer | undefined;
  /**
   * The request is over.
   * @param keep the connection may go on
   * @param saidAll the client is not in the middle of saying something
   */
  over(keep: boolean, saidAll: boolean): void;
}
