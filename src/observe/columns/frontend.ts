import type { FrontendView } from '../../control/view.ts';
import type { FrontendCounters } from '../../proxy/plane/counters.ts';
import { type Column, inHttp } from '../columns.ts';
import { SESSION_COLUMNS } from './sessions.ts';

export interface FrontendRow {
  readonly mode: 'http' | 'tcp';
  readonly counters: FrontendCounters;
  readonly status: FrontendView['status'];
}

export const FRONTEND_COLUMNS: readonly Column<FrontendRow>[] = [
  ...SESSION_COLUMNS,
  {
    csv: 'slim',
    metric: 'limit_sessions',
    type: 'gauge',
    help: 'Sessions that may be open at once (maxconn).',
    read: ({ counters }) => counters.slim,
  },
  {
    csv: 'dreq',
    metric: 'requests_denied_total',
    type: 'counter',
    help: 'Requests denied by a rule.',
    read: ({ counters }) => counters.dreq,
  },
  {
    csv: 'ereq',
    metric: 'request_errors_total',
    type: 'counter',
    help: 'Bad or abandoned requests.',
    read: ({ counters }) => counters.ereq,
  },
  {
    csv: 'status',
    metric: 'status',
    help: 'Status of the frontend, by state.',
    states: ['DOWN', 'UP'],
    read: ({ status }) => [status === 'OPEN' ? 'UP' : 'DOWN'],
  },
  {
    csv: 'req_rate_max',
    metric: 'http_requests_rate_max',
    type: 'gauge',
    help: 'Most HTTP requests in one second since start.',
    read: inHttp(({ counters }) => counters.reqRateMax),
  },
  {
    csv: 'conn_rate_max',
    metric: 'connections_rate_max',
    type: 'gauge',
    help: 'Most connections in one second since start.',
    read: ({ counters }) => counters.connRateMax,
  },
  {
    csv: 'conn_tot',
    metric: 'connections_total',
    type: 'counter',
    help: 'Connections since start.',
    read: ({ counters }) => counters.connTot,
  },
  {
    csv: 'intercepted',
    metric: 'intercepted_requests_total',
    type: 'counter',
    help: 'Requests answered by Vane itself (return, redirect).',
    read: inHttp(({ counters }) => counters.intercepted),
  },
  {
    csv: 'dcon',
    metric: 'denied_connections_total',
    type: 'counter',
    help: 'Connections refused because of maxconn.',
    read: ({ counters }) => counters.dcon,
  },
];
