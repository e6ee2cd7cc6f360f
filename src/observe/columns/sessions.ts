import type { FrontendCounters, WorkCounters } from '../../proxy/plane/counters.ts';
import { inHttp, type ValueColumn } from '../columns.ts';

interface SessionRow {
  readonly mode: 'http' | 'tcp';
  /** Undefined: nothing has been counted yet. */
  readonly counters: FrontendCounters | WorkCounters | undefined;
}

/** What frontends, backends and servers all have. */
export const SESSION_COLUMNS: readonly ValueColumn<SessionRow>[] = [
  {
    csv: 'scur',
    metric: 'current_sessions',
    type: 'gauge',
    help: 'Sessions open now.',
    read: ({ counters }) => counters?.scur,
  },
  {
    csv: 'smax',
    metric: 'max_sessions',
    type: 'gauge',
    help: 'Most sessions open at once since start.',
    read: ({ counters }) => counters?.smax,
  },
  {
    csv: 'stot',
    metric: 'sessions_total',
    type: 'counter',
    help: 'Sessions since start.',
    read: ({ counters }) => counters?.stot,
  },
  {
    csv: 'bin',
    metric: 'bytes_in_total',
    type: 'counter',
    help: 'Bytes of requests.',
    read: ({ counters }) => counters?.bin,
  },
  {
    csv: 'bout',
    metric: 'bytes_out_total',
    type: 'counter',
    help: 'Bytes of responses.',
    read: ({ counters }) => counters?.bout,
  },
  {
    csv: 'rate',
    metric: 'current_session_rate',
    type: 'gauge',
    help: 'Sessions in the last second.',
    read: ({ counters }) => counters?.rate,
  },
  {
    csv: 'rate_max',
    metric: 'max_session_rate',
    type: 'gauge',
    help: 'Most sessions in one second since start.',
    read: ({ counters }) => counters?.rateMax,
  },
  {
    csv: 'req_tot',
    metric: 'http_requests_total',
    type: 'counter',
    help: 'HTTP requests.',
    read: inHttp(({ counters }) => counters?.reqTot),
  },
  responses('hrsp_1xx', '1xx', (counters) => counters.hrsp1xx),
  responses('hrsp_2xx', '2xx', (counters) => counters.hrsp2xx),
  responses('hrsp_3xx', '3xx', (counters) => counters.hrsp3xx),
  responses('hrsp_4xx', '4xx', (counters) => counters.hrsp4xx),
  responses('hrsp_5xx', '5xx', (counters) => counters.hrsp5xx),
  responses('hrsp_other', 'other', (counters) => counters.hrspOther),
];

function responses(
  csv: string,
  code: string,
  count: (counters: FrontendCounters | WorkCounters) => number,
): ValueColumn<SessionRow> {
  return {
    csv,
    metric: 'http_responses_total',
    type: 'counter',
    help: 'HTTP responses by class of their status.',
    label: { code },
    read: inHttp(({ counters }) => counters && count(counters)),
  };
}
