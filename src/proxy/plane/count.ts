import type { LeaseOutcome } from './lease.ts';
import type { WorkTally } from './tally.ts';

/**
 * Counts what one attempt met: for the server, and for its backend. Errors that another attempt follows are
 * retries and nothing else, as in HAProxy, so that `econ` and `eresp` are what clients got to feel.
 */
export function countAttempt(tally: WorkTally, outcome: LeaseOutcome): void {
  if (outcome.reused === true) tally.reuse++;
  if (outcome.reused === false) tally.connect++;
  if (outcome.next === 'retry') tally.wretr++;
  if (outcome.next === 'redispatch') tally.wredis++;
  switch (outcome.error?.code) {
    case 'CONNECT_REFUSED':
    case 'CONNECT_TIMEOUT':
    case 'CONNECT_FAILED':
      // A failed attempt is an attempt too (HAProxy's `connect` counts them all).
      tally.connect++;
      if (outcome.next === undefined) tally.econ++;
      break;
    case 'UPSTREAM_CLOSED':
    case 'UPSTREAM_TIMEOUT':
      // Data transfers that the server broke off count as both (HAProxy's management guide, section 9.1).
      if (outcome.status !== undefined || outcome.relayed === true) tally.srvAbrt++;
      if (outcome.next === undefined) tally.eresp++;
      break;
    case 'UPSTREAM_PROTOCOL':
    case 'UPSTREAM_STATUS':
      tally.eresp++;
      break;
    case 'CLIENT_ABORTED':
    case 'CLIENT_TIMEOUT':
      // Of two servers at work on one request, one tells it.
      if (outcome.next === undefined) tally.cliAbrt++;
      break;
  }
}

/** Counts the work done: for a server what it did itself, for a backend whole requests. */
export function countWork(
  tally: WorkTally,
  work: {
    readonly status: number | undefined;
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly queuedMs: number;
    readonly connectMs: number | undefined;
    readonly responseMs: number | undefined;
    readonly totalMs: number;
  },
): void {
  if (work.status !== undefined) {
    tally.reqTot++;
    tally.responses.add(work.status);
  }
  tally.sessions.bin += work.bytesIn;
  tally.sessions.bout += work.bytesOut;
  tally.time({
    queue: work.queuedMs,
    connect: work.connectMs,
    response: work.responseMs,
    total: work.totalMs,
  });
}
