import { serverId } from '../../balance/server.ts';
import type { HttpAccessEntry } from '../access-entry.ts';
import type { RefusedRequest } from '../lanes/host.ts';
import type { Exchange } from '../lanes/lane.ts';
import type { HttpRecord, HttpSite } from './http-record.ts';
import { termination } from './termination.ts';

type Format = HttpAccessEntry['format'];
type Place = Pick<HttpSite, 'frontend' | 'context'>;

const NOT_REACHED = -1;

/** The access-log entry of a request that is over. */
export function httpEntry(
  format: Format,
  { frontend, context }: Place,
  exchange: Exchange,
  record: HttpRecord,
  totalMs: number,
): HttpAccessEntry {
  const { head, client, startedAt, headAt, bytesIn, bytesOut } = exchange;
  const { backend, lease, error } = record;
  return {
    mode: 'http',
    format,
    client,
    frontend: frontend.name,
    backend: backend?.name ?? frontend.name,
    server: lease?.server.name ?? '<NOSRV>',
    serverId: lease && serverId(lease.server.address, lease.server.port),
    bytesRead: bytesOut,
    bytesUploaded: bytesIn,
    termination: record.termination,
    cookies: record.stick?.letters,
    connections: {
      process: context.connections,
      frontend: frontend.tally.sessions.scur,
      backend: backend?.tally.sessions.scur ?? 0,
      server: lease?.serverActive ?? 0,
    },
    retries: record.retries,
    redispatched: record.redispatched,
    hedge: record.hedge,
    queues: { server: 0, backend: record.queuedBehind },
    error: error && { code: error.code, message: error.message },
    at: context.clock.wall() - totalMs,
    times: {
      request: Math.round(headAt - startedAt),
      queue: rounded(record.queuedMs),
      connect: rounded(record.connectMs),
      response: rounded(record.responseMs),
      active: Math.round(totalMs),
    },
    status: record.status ?? NOT_REACHED,
    request: { method: head.method, target: head.target, httpVersion: head.httpVersion },
    host: head.host,
  };
}

/** The entry of something that never became a request. */
export function refusedEntry(
  format: Format,
  { frontend, context }: Place,
  refused: RefusedRequest,
): HttpAccessEntry {
  const totalMs = context.clock.now() - refused.startedAt;
  const { scur } = frontend.tally.sessions;
  return {
    mode: 'http',
    format,
    client: refused.client,
    frontend: frontend.name,
    backend: frontend.name,
    server: '<NOSRV>',
    serverId: undefined,
    bytesRead: refused.bytesOut,
    bytesUploaded: refused.bytesIn,
    termination: termination(refused.error, 'request'),
    connections: { process: context.connections, frontend: scur, backend: 0, server: 0 },
    retries: 0,
    redispatched: false,
    queues: { server: 0, backend: 0 },
    error: { code: refused.error.code, message: refused.error.message },
    at: context.clock.wall() - totalMs,
    times: {
      request: NOT_REACHED,
      queue: NOT_REACHED,
      connect: NOT_REACHED,
      response: NOT_REACHED,
      active: Math.round(totalMs),
    },
    status: refused.status ?? NOT_REACHED,
    request: undefined,
    host: '',
  };
}

function rounded(ms: number | undefined): number {
  return ms === undefined ? NOT_REACHED : Math.round(ms);
}
