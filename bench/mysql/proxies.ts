import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasProgram } from '../machine.ts';
import { ROOT } from '../paths.ts';
import { usageOf } from '../proc.ts';
import type { Running } from '../processes.ts';
import { freePort } from '../sockets.ts';
import { MONITOR } from './mariadb.ts';
import type { Place } from './place.ts';
import { WireClient } from './wire.ts';

/** A proxy that leads to the place's server. */
export interface Started {
  readonly name: string;
  readonly port: number;
  /** CPU time used so far, seconds. */
  cpuSeconds(): number;
  rssBytes(): number;
  end(): Promise<void>;
}

const READY_WITHIN_MS = 15_000;

let started = 0;

/** @param slave where else it could lead; nothing need listen there */
export async function startVane(place: Place): Promise<Started> {
  const [home, port, metricsPort, nowhere] = [
    newFolder(place),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const file = `${home}/vane.yaml`;
  const config = {
    global: {
      maxconn: 20_000,
      log: { level: 'warn' },
      stats: { bind: `127.0.0.1:${metricsPort}` },
      'hard-stop-after': '1s',
    },
    registry: 'off',
    'mysql-vip': {
      main: {
        bind: `127.0.0.1:${port}`,
        servers: {
          db1: { address: `127.0.0.1:${place.port}`, role: 'master' },
          db2: { address: `127.0.0.1:${nowhere}`, role: 'slave' },
        },
        monitor: MONITOR,
        drain: '0s',
      },
    },
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const profile = process.env.BENCH_PROFILE;
  const args = [
    ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
    ...[`${ROOT}src/bin/vane.mjs`, 'run', '-f', file],
  ];
  const running = place.processes.start({ program: process.execPath, args, cores: place.cores.proxy });
  return ready('Vane', port, running);
}

/** HAProxy in mode tcp, with one thread. Undefined: it is not there. */
export async function startHaproxy(place: Place): Promise<Started | undefined> {
  if (!hasProgram('haproxy')) return undefined;
  const [home, port] = [newFolder(place), await freePort()];
  const file = `${home}/haproxy.cfg`;
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 9000
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
listen mysql
  bind 127.0.0.1:${port}
  server db1 127.0.0.1:${place.port}
`,
  );
  const args = ['-db', '-q', '-f', file];
  const running = place.processes.start({ program: 'haproxy', args, cores: place.cores.proxy });
  return ready('HAProxy', port, running);
}

function newFolder({ folder }: Place): string {
  const home = `${folder}/proxy-${++started}`;
  mkdirSync(home);
  return home;
}

/** A server that is reached through it lets somebody in. */
async function ready(name: string, port: number, running: Running): Promise<Started> {
  const limit = performance.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      (await WireClient.login(port)).end();
      break;
    } catch (error) {
      if (running.hasEnded() || performance.now() > limit) {
        await running.end();
        throw new Error(`${name} leads nowhere: ${running.said()}`, { cause: error });
      }
      await sleep(100);
    }
  }
  return {
    ...{ name, port },
    cpuSeconds: () => usageOf(running.pid).cpuSeconds,
    rssBytes: () => usageOf(running.pid).rssBytes,
    end: () => running.end(),
  };
}
