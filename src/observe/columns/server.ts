import { adjusted } from '../../balance/weights.ts';
import type { ServerView } from '../../control/view.ts';
import type { ServerCounters } from '../../proxy/plane/counters.ts';
import type { Column } from '../columns.ts';
import { CHECK_STATES, SERVER_STATES, serverState } from './server-status.ts';
import { WORK_COLUMNS, wholeSeconds } from './work.ts';

export interface ServerRow {
  readonly mode: 'http' | 'tcp';
  readonly counters: ServerCounters | undefined;
  readonly view: ServerView;
  /** Clock ms and wall-clock ms. */
  readonly at: number;
  readonly wall: number;
}

export const SERVER_COLUMNS: readonly Column<ServerRow>[] = [
  ...WORK_COLUMNS,
  {
    csv: 'slim',
    metric: 'limit_sessions',
    type: 'gauge',
    help: 'Requests or connections that may be open at once (maxconn).',
    read: ({ view }) => view.snapshot.maxconn || undefined,
  },
  {
    csv: 'status',
    metric: 'status',
    help: 'Status of the server, by state.',
    states: SERVER_STATES,
    read: ({ view }) => [serverState(view)],
  },
  {
    csv: 'weight',
    metric: 'weight',
    type: 'gauge',
    help: 'Weight of the server.',
    read: ({ view }) => view.snapshot.weight,
  },
  {
    csv: 'uweight',
    metric: 'uweight',
    type: 'gauge',
    help: 'Weight of the server without its slow start.',
    read: ({ view: { own, share, snapshot } }) =>
      own ? adjusted(own, { ...share, warmth: 1 }).weight : snapshot.weight,
  },
  {
    csv: 'act',
    metric: 'active',
    type: 'gauge',
    help: '1 unless the server is a backup.',
    read: ({ view }) => (view.snapshot.backup ? 0 : 1),
  },
  {
    csv: 'bck',
    metric: 'backup',
    type: 'gauge',
    help: '1 if the server is a backup.',
    read: ({ view }) => (view.snapshot.backup ? 1 : 0),
  },
  {
    csv: 'chkfail',
    metric: 'check_failures_total',
    type: 'counter',
    help: 'Checks that failed while the server was up.',
    read: ({ view }) => view.check?.failures,
  },
  {
    csv: 'chkdown',
    metric: 'check_up_down_total',
    type: 'counter',
    help: 'Times the server stopped taking work.',
    read: ({ view }) => view.downs,
  },
  {
    csv: 'lastchg',
    metric: 'check_last_change_seconds',
    type: 'gauge',
    help: 'Seconds since the server began or stopped taking work.',
    read: ({ view, at }) => wholeSeconds(at - view.state.since),
  },
  {
    csv: 'downtime',
    metric: 'downtime_seconds_total',
    type: 'counter',
    help: 'Seconds in which the server took no work, in all.',
    read: ({ view }) => wholeSeconds(view.downtime),
  },
  {
    csv: 'check_status',
    metric: 'check_status',
    help: 'Result of the last check, by state.',
    states: CHECK_STATES,
    read: ({ view }) => view.check && [view.check.lastCode],
  },
  {
    csv: 'check_code',
    metric: 'check_code',
    type: 'gauge',
    help: 'HTTP status that the last check got; 0: none.',
    read: ({ view }) => view.check && (view.check.httpStatus ?? 0),
  },
  {
    csv: 'check_duration',
    metric: 'check_duration_seconds',
    type: 'gauge',
    unit: 'ms',
    help: 'How long the last check took.',
    read: ({ view }) => view.check?.durationMs,
  },
  {
    csv: 'agent_status',
    metric: 'agent_status',
    help: 'Result of the last agent check, by state.',
    states: CHECK_STATES,
    read: ({ view }) => view.agent && [view.agent.lastCode],
  },
  {
    csv: 'agent_duration',
    metric: 'agent_duration_seconds',
    type: 'gauge',
    unit: 'ms',
    help: 'How long the last agent check took.',
    read: ({ view }) => view.agent?.durationMs,
  },
  {
    csv: 'throttle',
    metric: 'current_throttle',
    type: 'gauge',
    help: 'Percent of its share that a server in its slow start may have.',
    read: ({ view }) => (view.share?.warmth === undefined ? undefined : Math.round(100 * view.share.warmth)),
  },
  {
    csv: 'srv_icur',
    metric: 'idle_connections_current',
    type: 'gauge',
    help: 'Connections kept for the next request.',
    read: ({ counters }) => counters?.idleConnections,
  },
  {
    csv: 'used_conn_cur',
    metric: 'used_connections_current',
    type: 'gauge',
    help: 'Connections in use.',
    read: ({ counters }) => counters?.usedConnections,
  },
];
