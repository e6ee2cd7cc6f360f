import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonLine } from '../../../src/observe/json-log-format.ts';
import { httpEntry, tcpEntry } from './access-entries.ts';

const AT = Date.UTC(2026, 1, 7, 14, 5, 23, 123);

test('a request is a flat object', () => {
  expect(JSON.parse(jsonLine(httpEntry({ at: AT, format: 'json' })))).toEqual({
    type: 'access',
    time: '2026-02-07T14:05:23.123Z',
    client: '10.0.1.2',
    client_port: 33317,
    mode: 'http',
    frontend: 'http-in',
    backend: 'static',
    server: 'srv1',
    server_address: '10.0.0.9:8000',
    host: '1wt.eu',
    method: 'GET',
    target: '/index.html',
    http_version: '1.1',
    status: 200,
    cookies: null,
    hedge: null,
    request_ms: 10,
    queue_ms: 0,
    connect_ms: 30,
    response_ms: 69,
    total_ms: 109,
    bytes_read: 2750,
    bytes_uploaded: 120,
    termination: '--',
    retries: 0,
    redispatched: false,
    connections_process: 5,
    connections_frontend: 4,
    connections_backend: 3,
    connections_server: 2,
    queue_server: 0,
    queue_backend: 0,
    error_code: null,
    error_message: null,
  });
});

test('what was not reached is null, and the error has its code and words', () => {
  const entry = httpEntry({
    server: '<NOSRV>',
    serverId: undefined,
    status: -1,
    request: undefined,
    times: { request: -1, queue: -1, connect: -1, response: -1, active: 3 },
    error: { code: 'CLIENT_ABORTED', message: 'client went away' },
  });
  expect(JSON.parse(jsonLine(entry))).toMatchObject({
    server: null,
    server_address: null,
    status: null,
    method: null,
    target: null,
    http_version: null,
    request_ms: null,
    connect_ms: null,
    total_ms: 3,
    error_code: 'CLIENT_ABORTED',
    error_message: 'client went away',
  });
});

test('a connection has its times and no request', () => {
  const object: unknown = JSON.parse(jsonLine(tcpEntry({ redispatched: true })));
  expect(object).toMatchObject({
    mode: 'tcp',
    queue_ms: 0,
    connect_ms: 7,
    total_ms: 5007,
    redispatched: true,
  });
  expect(object).not.toHaveProperty('status');
});

test('lines of one mode have the same keys, whatever happened', () => {
  const keys = (line: string) => Object.keys(JSON.parse(line));
  const bad = httpEntry({
    request: undefined,
    serverId: undefined,
    error: { code: 'INTERNAL', message: '' },
  });
  expect(keys(jsonLine(bad))).toEqual(keys(jsonLine(httpEntry())));
});

test('whatever a client sends, a line is one line and reads back as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (target) => {
      const line = jsonLine(httpEntry({ request: { method: 'GET', target, httpVersion: '1.1' } }));
      expect(line).not.toContain('\n');
      expect(JSON.parse(line)).toMatchObject({ target });
    }),
  );
});
