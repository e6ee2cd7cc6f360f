import { writeFileSync } from 'node:fs';
import { hasProgram, versionOf } from '../machine.ts';
import { writeCertificate } from './certificate.ts';
import type { Peer, Place, Task } from './peer.ts';

/** HAProxy with one thread: what everything is compared with. */
export const haproxy: Peer = {
  name: 'haproxy',
  title: 'HAProxy',
  missing: () => (hasProgram('haproxy') ? undefined : 'apt-get install haproxy'),
  version: () => versionOf('haproxy', ['-v'], /version ([\d.]+)/),
  prepare(task, place) {
    const file = `${place.folder}/haproxy.cfg`;
    const socket = `${place.folder}/haproxy.sock`;
    writeFileSync(file, configuration(task, place, socket));
    const output = task.accessLog ? { outputFile: `${place.folder}/access.log` } : {};
    // -db: in the foreground, without a master process.
    const command = { program: 'haproxy', args: ['-db', '-q', '-f', file], ...output };
    return { command, control: { kind: 'socket', path: socket } };
  },
};

/** http-reuse always: as Vane and nginx, it shares connections to the origin from the first request on. */
function configuration(task: Task, place: Place, socket: string): string {
  const log = task.accessLog ? ['  log stdout format raw local0'] : [];
  const http =
    task.mode === 'http'
      ? ['  option forwardfor', '  http-reuse always', ...(task.accessLog ? ['  option httplog'] : [])]
      : [];
  return [
    'global',
    '  nbthread 1',
    '  maxconn 8000',
    `  stats socket ${socket} level admin`,
    ...log,
    'defaults',
    `  mode ${task.mode}`,
    '  timeout connect 5s',
    '  timeout client 60s',
    '  timeout server 60s',
    '  timeout tunnel 1h',
    ...http,
    ...(task.accessLog ? ['  log global'] : []),
    'frontend www',
    `  bind 127.0.0.1:${place.port}${task.tls ? ` ssl crt ${writeCertificate(place)}` : ''}${task.h2 ? ' alpn h2,http/1.1' : ''}`,
    ...frontend(task),
    ...backends(task),
    'frontend metrics',
    '  mode http',
    '  no log',
    `  bind 127.0.0.1:${place.metricsPort}`,
    '  http-request use-service prometheus-exporter if { path /metrics }',
    '',
  ].join('\n');
}

function frontend({ routes }: Task): string[] {
  if (routes === undefined) return ['  default_backend b0'];
  return Array.from({ length: routes.rules }, (_, i) => `  use_backend b${i} if { path_beg /r${i}/ }`).concat(
    '  default_backend b0',
  );
}

function backends({ routes, servers }: Task): string[] {
  return Array.from({ length: routes?.backends ?? 1 }, (_, i) => [
    `backend b${i}`,
    ...servers.map((address, n) => `  server s${n} ${address}`),
  ]).flat();
}
