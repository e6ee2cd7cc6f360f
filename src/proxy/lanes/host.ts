import type { Socket } from 'node:net';
import type { VaneError } from '../../core/errors.ts';
import type { ClientAddress, Exchange } from './lane.ts';

/** Whom a lane serves: it hands over what it has read and asks for the limits that hold now. */
export interface LaneHost {
  /** A request whose head was read. Never throws. */
  handle(exchange: Exchange): void;
  /** Something that is no request, or none in time; the lane has answered it. Never throws. */
  refused(request: RefusedRequest): void;
  /** No connection is to outlive its present requests. */
  readonly draining: boolean;
  /** Milliseconds; 0: no limit. Read anew each time, so that a reload holds for open connections too. */
  readonly timeouts: {
    readonly client: number;
    readonly httpRequest: number;
    readonly httpKeepAlive: number;
  };
}

export interface RefusedRequest {
  readonly client: ClientAddress;
  /** Clock ms of its first byte. */
  readonly startedAt: number;
  /** REQUEST_INVALID, CLIENT_TIMEOUT or CLIENT_ABORTED. */
  readonly error: VaneError;
  /** What it was answered; undefined: nothing. */
  readonly status: number | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A lane at work on the connections of one frontend. */
export interface Lane {
  /** Takes a client's connection over, from its first byte to its end. Never throws. */
  serve(socket: Socket): void;
  /** Connections that are between two requests wait for the next as long as the host says now, beginning anew. */
  hurryIdle(): void;
  /** Ends every connection at once. What was under way is told to its exchange as aborted by `reason`. */
  destroy(reason: VaneError): void;
}
