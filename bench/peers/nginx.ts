import { writeFileSync } from 'node:fs';
import { hasProgram, versionOf } from '../machine.ts';
import { writeCertificate } from './certificate.ts';
import type { Peer, Place, Task } from './peer.ts';

/** nginx with one worker process. */
export const nginx: Peer = {
  name: 'nginx',
  title: 'nginx',
  missing: () => (hasProgram('nginx') ? undefined : 'apt-get install nginx-light'),
  version: () => versionOf('nginx', ['-v'], /nginx\/([\d.]+)/),
  prepare(task, place) {
    const file = `${place.folder}/nginx.conf`;
    writeFileSync(file, nginxFile(place.folder, http(task, place)));
    return { command: nginxCommand(file) };
  },
};

/** An nginx that keeps everything in `folder` and runs in the foreground. */
export function nginxFile(folder: string, http: readonly string[]): string {
  return [
    // Its workers would otherwise be nobody, who may not enter the folder.
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off;',
    'worker_processes 1;',
    'worker_rlimit_nofile 20000;',
    `pid ${folder}/nginx.pid;`,
    'error_log stderr crit;',
    'events { worker_connections 12000; }',
    'http {',
    ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `  ${kind}_temp_path ${folder}/${kind};`,
    ),
    '  client_max_body_size 0;',
    '  keepalive_requests 1000000000;',
    '  keepalive_timeout 60s;',
    '  tcp_nodelay on;',
    ...http,
    '}',
    '',
  ].join('\n');
}

export function nginxCommand(file: string) {
  return { program: 'nginx', args: ['-e', 'stderr', '-c', file] };
}

/** Without buffering, so that large bodies go through as in the others. */
function http(task: Task, place: Place): string[] {
  const { routes, servers, webSocket } = task;
  const locations = Array.from(
    { length: routes?.rules ?? 0 },
    (_, i) => `    location /r${i}/ { proxy_pass http://b${i}; }`,
  );
  return [
    `  access_log ${task.accessLog ? `${place.folder}/access.log` : 'off'};`,
    '  proxy_http_version 1.1;',
    '  proxy_request_buffering off;',
    '  proxy_max_temp_file_size 0;',
    '  proxy_set_header Host $http_host;',
    '  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    ...(webSocket
      ? ['  proxy_set_header Upgrade $http_upgrade;', '  proxy_set_header Connection upgrade;']
      : ['  proxy_set_header Connection "";']),
    ...Array.from({ length: routes?.backends ?? 1 }, (_, i) => upstream(i, servers)),
    '  server {',
    `    listen 127.0.0.1:${place.port} ${task.tls ? 'ssl ' : ''}${task.h2 ? 'http2 ' : ''}backlog=4096;`,
    ...(task.tls ? tls(writeCertificate(place)) : []),
    ...locations,
    '    location / { proxy_pass http://b0; }',
    '  }',
    `  server { listen 127.0.0.1:${place.metricsPort}; location = /metrics { stub_status; } }`,
  ];
}

function tls(file: string): string[] {
  return [`    ssl_certificate ${file};`, `    ssl_certificate_key ${file};`];
}

function upstream(index: number, servers: readonly string[]): string {
  const lines = servers.map((address) => `server ${address};`).join(' ');
  return `  upstream b${index} { ${lines} keepalive 1024; keepalive_requests 1000000000; }`;
}
