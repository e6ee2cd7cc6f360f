import { serverId } from '../../balance/server.ts';
import type { TcpAccessEntry } from '../access-entry.ts';
import { termination } from '../request/termination.ts';
import type { TcpRecord, TcpSite } from './tcp-record.ts';

const NOT_REACHED = -1;

/** The access-log entry of a TCP session that is over. */
export function tcpEntry(
  format: TcpAccessEntry['format'],
  { frontend, context }: Pick<TcpSite, 'frontend' | 'context'>,
  record: TcpRecord,
  totalMs: number,
): TcpAccessEntry {
  const { backend, lease, error, phase } = record;
  return {
    mode: 'tcp',
    format,
    client: record.client,
    frontend: frontend.name,
    backend: backend?.name ?? frontend.name,
    server: lease?.server.name ?? '<NOSRV>',
    serverId: lease && serverId(lease.server.address, lease.server.port),
    bytesRead: record.bytesToClient,
    bytesUploaded: record.bytesToServer,
    termination: termination(error, phase),
    connections: {
      process: context.connections,
      frontend: frontend.tally.sessions.scur,
      backend: backend?.tally.sessions.scur ?? 0,
      server: lease?.serverActive ?? 0,
    },
    retries: record.retries,
    redispatched: record.redispatched,
    queues: { server: 0, backend: record.queuedBehind },
    error: error && { code: error.code, message: error.message },
    at: context.clock.wall() - totalMs,
    times: {
      queue: rounded(record.queuedMs),
      connect: rounded(record.connectMs),
      total: Math.round(totalMs),
    },
  };
}

function rounded(ms: number | undefined): number {
  return ms === undefined ? NOT_REACHED : Math.round(ms);
}
