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

/** All that keeps requests from servers in trouble is in use, and nothing is in trouble. */
export const guardedVane: Peer = {
  name: 'vane-guarded',
  title: 'Vane, guarded',
  missing: () => undefined,
  version: () => undefined,
  prepare: (task, place) => prepared(task, place, 0, GUARDS),
};

/** Checks, retries with bodies kept for them, queues, and what passes servers over. */
const GUARDS: Guards = {
  defaults: {
    'retry-on': 'all-retryable-errors',
    outlier: 'errors 5 time 30s max 10%',
    'max-connections': 7000,
    maxqueue: 1000,
  },
  server: { check: 'inter 2s', maxconn: 2000, minconn: 500, observe: 'layer7', 'error-limit': 10 },
};

interface Guards {
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly server: Readonly<Record<string, unknown>>;
}

const NO_GUARDS: Guards = { defaults: {}, server: {} };

function prepared(
  task: Task,
  place: Place,
  workers: number,
  guards = NO_GUARDS,
): ReturnType<Peer['prepare']> {
  const file = `${place.folder}/vane.yaml`;
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configuration(task, place, workers, guards)));
  const command = {
    program: place.node,
    args: [`${ROOT}src/bin/vane.mjs`, 'run', '-f', file],
    outputFile: `${place.folder}/access.log`,
  };
  return { command, control: { kind: 'registry', port: place.controlPort } };
}

function configuration(task: Task, place: Place, workers: number, guards: Guards): unknown {
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
      ...guards.defaults,
    },
    frontends: { www: { bind: `127.0.0.1:${place.port}${tls}`, option, ...routing(task) } },
    backends: backends(task, guards),
  };
}

function routing({ routes }: Task): Record<string, unknown> {
  if (routes === undefined) return { default_backend: 'b0' };
  const rules = Array.from({ length: routes.rules }, (_, i) => `b${i} if { path_beg /r${i}/ }`);
  return { use_backend: rules, default_backend: 'b0' };
}

function backends(task: Task, { server }: Guards): Record<string, unknown> {
  const addresses = task.servers.map((address) => ({ address, ...server }));
  const named = [{ domain: 'web.service.consul', drain: '1s' }];
  const changing = task.changes ? changingBackend(task) : undefined;
  const names = Array.from({ length: task.routes?.backends ?? 1 }, (_, i) => `b${i}`);
  return Object.fromEntries(names.map((name) => [name, { servers: name === changing ? named : addresses }]));
}
