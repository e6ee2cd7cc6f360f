import type { HttpAccessEntry, TcpAccessEntry } from '../../../src/proxy/access-entry.ts';

/** The same wall-clock reading in every time zone. */
const AT = new Date(2026, 1, 7, 14, 5, 23, 123).getTime();

const COMMON = {
  format: 'haproxy',
  client: { address: '10.0.1.2', port: 33317, localAddress: '10.0.0.1', localPort: 80 },
  frontend: 'http-in',
  backend: 'static',
  server: 'srv1',
  serverId: '10.0.0.9:8000',
  bytesRead: 2750,
  bytesUploaded: 120,
  termination: '--',
  connections: { process: 5, frontend: 4, backend: 3, server: 2 },
  retries: 0,
  redispatched: false,
  queues: { server: 0, backend: 0 },
  error: undefined,
} as const;

export function httpEntry(changes: Partial<HttpAccessEntry> = {}): HttpAccessEntry {
  return {
    ...COMMON,
    mode: 'http',
    at: AT,
    times: { request: 10, queue: 0, connect: 30, response: 69, active: 109 },
    status: 200,
    request: { method: 'GET', target: '/index.html', httpVersion: '1.1' },
    host: '1wt.eu',
    ...changes,
  };
}

export function tcpEntry(changes: Partial<TcpAccessEntry> = {}): TcpAccessEntry {
  return { ...COMMON, mode: 'tcp', at: AT, times: { queue: 0, connect: 7, total: 5007 }, ...changes };
}
