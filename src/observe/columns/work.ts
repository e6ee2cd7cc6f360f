import type { WorkCounters } from '../../proxy/plane/counters.ts';
import type { ValueColumn } from '../columns.ts';
import { SESSION_COLUMNS } from './sessions.ts';

export interface WorkRow {
  readonly mode: 'http' | 'tcp';
  /** Undefined: nothing has been counted yet. */
  readonly counters: WorkCounters | undefined;
  /** Wall-clock ms. */
  readonly wall: number;
}

/** What backends and servers both have. */
export const WORK_COLUMNS: readonly ValueColumn<WorkRow>[] = [
  ...SESSION_COLUMNS,
  {
    csv: 'qcur',
    metric: 'current_queue',
    type: 'gauge',
    help: 'Requests waiting for a server now.',
    read: ({ counters }) => counters?.qcur,
  },
  {
    csv: 'qmax',
    metric: 'max_queue',
    type: 'gauge',
    help: 'Most requests waiting at once since start.',
    read: ({ counters }) => counters?.qmax,
  },
  {
    csv: 'econ',
    metric: 'connection_errors_total',
    type: 'counter',
    help: 'Connection attempts that failed.',
    read: ({ counters }) => counters?.econ,
  },
  {
    csv: 'eresp',
    metric: 'response_errors_total',
    type: 'counter',
    help: 'Responses that failed.',
    read: ({ counters }) => counters?.eresp,
  },
  {
    csv: 'wretr',
    metric: 'retry_warnings_total',
    type: 'counter',
    help: 'Attempts repeated.',
    read: ({ counters }) => counters?.wretr,
  },
  {
    csv: 'wredis',
    metric: 'redispatch_warnings_total',
    type: 'counter',
    help: 'Attempts repeated on another server.',
    read: ({ counters }) => counters?.wredis,
  },
  {
    csv: 'lbtot',
    metric: 'loadbalanced_total',
    type: 'counter',
    help: 'Requests given out by load balancing.',
    read: ({ counters }) => counters?.lbtot,
  },
  {
    csv: 'cli_abrt',
    metric: 'client_aborts_total',
    type: 'counter',
    help: 'Requests or connections aborted by the client.',
    read: ({ counters }) => counters?.cliAbrt,
  },
  {
    csv: 'srv_abrt',
    metric: 'server_aborts_total',
    type: 'counter',
    help: 'Requests or connections aborted by the server.',
    read: ({ counters }) => counters?.srvAbrt,
  },
  {
    csv: 'lastsess',
    metric: 'last_session_seconds',
    type: 'gauge',
    help: 'Seconds since a request was given out; -1: none yet.',
    read: ({ counters, wall }) => counters && secondsSince(counters.lastSession, wall),
  },
  {
    csv: 'connect',
    metric: 'connection_attempts_total',
    type: 'counter',
    help: 'New connections tried.',
    read: ({ counters }) => counters?.connect,
  },
  {
    csv: 'reuse',
    metric: 'connection_reuses_total',
    type: 'counter',
    help: 'Idle connections used again.',
    read: ({ counters }) => counters?.reuse,
  },
  ...times('q', 'queue', 'waiting in a queue', (counters) => [counters.qtime, counters.qtimeMax]),
  ...times('c', 'connect', 'for a connection to open', (counters) => [counters.ctime, counters.ctimeMax]),
  ...times('r', 'response', 'for the server to respond', (counters) => [counters.rtime, counters.rtimeMax]),
  ...times('t', 'total', 'in all', (counters) => [counters.ttime, counters.ttimeMax]),
];

/** The average and the maximum of one phase. */
function times(
  letter: string,
  phase: string,
  words: string,
  read: (counters: WorkCounters) => readonly [average: number, maximum: number],
): readonly ValueColumn<WorkRow>[] {
  return [
    {
      csv: `${letter}time`,
      metric: `${phase}_time_average_seconds`,
      type: 'gauge',
      unit: 'ms',
      help: `Time ${words}, average of the last 1024 requests.`,
      read: ({ counters }) => counters && read(counters)[0],
    },
    {
      csv: `${letter}time_max`,
      metric: `max_${phase}_time_seconds`,
      type: 'gauge',
      unit: 'ms',
      help: `Time ${words}, longest since start.`,
      read: ({ counters }) => counters && read(counters)[1],
    },
  ];
}

function secondsSince(then: number, wall: number): number {
  return then === 0 ? -1 : wholeSeconds(wall - then);
}

/** HAProxy's ages and downtimes are whole seconds. */
export function wholeSeconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000));
}
