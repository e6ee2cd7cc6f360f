import type { SystemView } from '../../control/view.ts';
import type { ValueColumn } from '../columns.ts';
import { wholeSeconds } from './work.ts';

export interface ProcessRow {
  readonly view: SystemView;
  /** Lines of the access log lost since start. */
  readonly droppedLogs: number;
}

/**
 * The process as a whole. `csv` is the key of HAProxy's `show info`. What could only be summed up over
 * frontends is not here as a counter: the sum would fall when a reload takes a frontend away.
 */
export const PROCESS_COLUMNS: readonly ValueColumn<ProcessRow>[] = [
  {
    csv: 'Uptime_sec',
    metric: 'uptime_seconds',
    type: 'gauge',
    help: 'Seconds since the process started.',
    read: ({ view }) => wholeSeconds(view.wall - view.process.startedAt),
  },
  {
    csv: 'Start_time_sec',
    metric: 'start_time_seconds',
    type: 'gauge',
    help: 'When the process started, in seconds since the epoch.',
    read: ({ view }) => wholeSeconds(view.process.startedAt),
  },
  {
    csv: 'Maxconn',
    metric: 'max_connections',
    type: 'gauge',
    help: 'Client connections that may be open at once (maxconn).',
    read: ({ view }) => view.process.maxconn,
  },
  {
    csv: 'CurrConns',
    metric: 'current_connections',
    type: 'gauge',
    help: 'Client connections open now.',
    read: ({ view }) => view.process.connections,
  },
  {
    csv: 'ConnRate',
    metric: 'current_connection_rate',
    type: 'gauge',
    help: 'Client connections in the last second.',
    read: ({ view }) => sum(view.frontends.map(({ counters }) => counters.connRate)),
  },
  {
    csv: 'SessRate',
    metric: 'current_session_rate',
    type: 'gauge',
    help: 'Sessions in the last second.',
    read: ({ view }) => sum(view.frontends.map(({ counters }) => counters.rate)),
  },
  {
    csv: 'Stopping',
    metric: 'stopping',
    type: 'gauge',
    help: '1 while a graceful stop is under way.',
    read: ({ view }) => (view.process.stopping ? 1 : 0),
  },
  {
    csv: 'DroppedLogs',
    metric: 'dropped_logs_total',
    type: 'counter',
    help: 'Access log lines dropped because their reader was too slow.',
    read: ({ droppedLogs }) => droppedLogs,
  },
];

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
