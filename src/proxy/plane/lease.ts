import type { ServerSnapshot } from '../../balance/server.ts';
import type { VaneError } from '../../core/errors.ts';
import type { ServerConnections } from '../lanes/lane.ts';

/** The right to give one piece of work to one server. Taking and ending it are the only changes of active counts. */
export interface Lease {
  readonly server: ServerSnapshot;
  readonly connections: ServerConnections;
  /** Milliseconds spent in the queue. */
  readonly queuedMs: number;
  /** Work on the server while this lease is held, this one included. */
  readonly serverActive: number;
  /** Why the server may not be used any longer (it was removed, the plane stops). */
  readonly cancelled: VaneError | undefined;
  /** Called when {@link cancelled} is set. */
  onCancel: ((reason: VaneError) => void) | undefined;
  /** The server has begun to answer. */
  answered(): void;
  /** Gives the place back. Only the first call counts. */
  done(outcome: LeaseOutcome): void;
}

/** How the work on one server ended, for its counters and for those who watch it. */
export interface LeaseOutcome {
  readonly error: VaneError | undefined;
  /** The answer's status; undefined for TCP or when none came. */
  readonly status: number | undefined;
  /** Bytes were being moved, without an answer's status to tell (TCP). */
  readonly relayed?: boolean;
  /** Whether the work went over an idle connection; undefined: no connection was made. */
  readonly reused: boolean | undefined;
  readonly queuedMs: number;
  readonly connectMs: number | undefined;
  readonly responseMs: number | undefined;
  readonly totalMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The work is repeated, there again or on another server; or it is under way on another one already (`hedge`). */
  readonly next: 'retry' | 'redispatch' | 'hedge' | undefined;
}

/** Waiting for a server. */
export interface Waiting {
  /** Rejects with QUEUE_TIMEOUT, or with what `leave` was called with. */
  readonly lease: Promise<Lease>;
  /** Gives up the place in the queue. */
  leave(reason: VaneError): void;
}
