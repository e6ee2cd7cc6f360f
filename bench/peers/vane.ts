import { writeFileSync } from 'node:fs';
import { vaneVersion } from '../machine.ts';
import { ROOT } from '../paths.ts';
import { writeCertificate } from './certificate.ts';
import { changingBackend, type Peer, type Place, type Task } from './peer.ts';

/** Vane as it is in this checkout. */
export const vane: Peer = {
  name: 'vane',
  title: 'Vane',
  missing: () => undefined,
  version: () => vaneVersion(ROOT),
  prepare: (task, place) => prepared(task, place, task.workers ? 1 : 0),
};

export const vaneWithTwoWorkers: Peer = {
  name: 'vane-2-workers',
  title: 'Vane, 2 workers',
  missing: () => undefined,
  version: () => undefined,
  prepare: (task, place) => prepared(task, place, 2),
};

function prepared(task: Task, place: Place, workers: number): ReturnType<Peer['prepare']> {
  const file = `${place.folder}/vane.yaml`;
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configuration(task, place, workers)));
  const command = {
    program: place.node,
    args: [`${ROOT}src/bin/vane.mjs`, 'run', '-f', file],
    outputFile: `${place.folder}/access.log`,
  };
  return { command, control: { kind: 'registry', port: place.controlPort } };
}

function configuration(task: Task, place: Place, workers: number): unknown {
  if (task.mode === 'dns') {
    return {
      global: { log: { level: 'warn' }, stats: { bind: `127.0.0.1:${place.metricsPort}` } },
      registry: { http: `127.0.0.1:${place.controlPort}`, dns: `127.0.0.1:${place.port}` },
    };
  }
  const log = task.accessLog ? [task.mode === 'http' ? 'httplog' : 'tcplog'] : [];
  const option = [...(task.mode === 'http' ? ['forwardfor'] : []), ...log];
  const tls = task.tls ? ` ssl crt ${writeCertificate(place)}` : '';
  return {
    global: {
      maxconn: 8000,
      log: { level: 'warn' },
      stats: { bind: `127.0.0.1:${place.metricsPort}` },
      'hard-stop-after': '1s',
      workers,
    },
    registry: task.changes ? { http: `127.0.0.1:${place.controlPort}`, dns: 'off' } : 'off',
    defaults: {
      mode: task.mode,
      timeout: { client: '60s', server: '60s', 'http-keep-alive': '60s' },
    },
    frontends: { www: { bind: `127.0.0.1:${place.port}${tls}`, option, ...routing(task) } },
    backends: backends(task),
  };
}

function routing({ routes }: Task): Record<string, unknown> {
  if (routes === undefined) return { default_backend: 'b0' };
  const rules = Array.from({ length: routes.rules }, (_, i) => `b${i} if { path_beg /r${i}/ }`);
  return { use_backend: rules, default_backend: 'b0' };
}

function backends(task: Task): Record<string, unknown> {
  const addresses = task.servers.map((address) => ({ address }));
  const named = [{ domain: 'web.service.consul', drain: '1s' }];
  const changing = task.changes ? changingBackend(task) : undefined;
  const names = Array.from({ length: task.routes?.backends ?? 1 }, (_, i) => `b${i}`);
  return Object.fromEntries(names.map((name) => [name, { servers: name === changing ? named : addresses }]));
}
