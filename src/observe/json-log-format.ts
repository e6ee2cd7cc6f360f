import type { AccessEntry, HttpAccessEntry, TcpAccessEntry } from '../proxy/access-entry.ts';

/**
 * One line of the access log as a flat JSON object, without the line feed. Every line of one mode has the same
 * keys; what was not reached or is not known is null. `type` tells it from the process's own log on the same
 * output. Times are milliseconds.
 */
export function jsonLine(entry: AccessEntry): string {
  return JSON.stringify(entry.mode === 'http' ? httpObject(entry) : tcpObject(entry));
}

function httpObject(entry: HttpAccessEntry) {
  const { request, times, status } = entry;
  return {
    ...whence(entry),
    host: entry.host,
    method: request?.method ?? null,
    target: request?.target ?? null,
    http_version: request?.httpVersion ?? null,
    status: reached(status),
    cookies: entry.cookies ?? null,
    hedge: entry.hedge ?? null,
    request_ms: reached(times.request),
    queue_ms: reached(times.queue),
    connect_ms: reached(times.connect),
    response_ms: reached(times.response),
    total_ms: reached(times.active),
    ...outcome(entry),
  };
}

function tcpObject(entry: TcpAccessEntry) {
  const { times } = entry;
  return {
    ...whence(entry),
    queue_ms: reached(times.queue),
    connect_ms: reached(times.connect),
    total_ms: reached(times.total),
    ...outcome(entry),
  };
}

function whence({ at, client, mode, frontend, backend, server, serverId }: AccessEntry) {
  return {
    type: 'access',
    time: new Date(at).toISOString(),
    client: client.address,
    client_port: client.port,
    mode,
    frontend,
    backend,
    server: serverId === undefined ? null : server,
    server_address: serverId ?? null,
  };
}

function outcome({ connections, queues, error, ...entry }: AccessEntry) {
  return {
    bytes_read: entry.bytesRead,
    bytes_uploaded: entry.bytesUploaded,
    termination: entry.termination,
    retries: entry.retries,
    redispatched: entry.redispatched,
    connections_process: connections.process,
    connections_frontend: connections.frontend,
    connections_backend: connections.backend,
    connections_server: connections.server,
    queue_server: queues.server,
    queue_backend: queues.backend,
    error_code: error?.code ?? null,
    error_message: error?.message ?? null,
  };
}

function reached(value: number): number | null {
  return value === -1 ? null : value;
}
