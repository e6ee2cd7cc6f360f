import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Cores } from '../machine.ts';
import { BENCH, ROOT } from '../paths.ts';
import type { Processes } from '../processes.ts';
import { freePort, untilAnswers } from '../sockets.ts';

/** What the process says of the time since it was last asked. */
export interface Gauge {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** How long it could have run, but others had its core. */
  readonly waitedSeconds: number;
  /** How late its event loop was. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Now. */
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** What of it is no garbage, where that was asked for. */
  readonly aliveBytes?: number;
}

/** A `vane run` that is a registry and nothing else. */
export interface VaneProcess {
  /** Of the registry's HTTP API. */
  readonly port: number;
  /** @param alive collect all garbage, after what is told of the time until now */
  gauge(alive?: 'alive'): Promise<Gauge>;
  end(): Promise<void>;
}

/** What a part of the benchmark works with. */
export interface Place {
  readonly processes: Processes;
  readonly cores: Cores;
  readonly folder: string;
  /** Told what is going on now. */
  readonly progress: (text: string) => void;
  readonly seconds: number;
}

let started = 0;

/** @param store `memory`, or `sqlite` in a folder that nothing else uses */
export async function startVane(
  { processes, cores, folder }: Place,
  store: 'memory' | 'sqlite',
): Promise<VaneProcess> {
  const home = `${folder}/vane-${++started}`;
  mkdirSync(home);
  const port = await freePort();
  const metricsPort = await freePort();
  const file = `${home}/vane.yaml`;
  const config = {
    global: {
      log: { level: 'warn' },
      stats: { bind: `127.0.0.1:${metricsPort}` },
      'data-dir': home,
      'hard-stop-after': '1s',
      // The registry in a process of its own, as is meant for one of this size.
      workers: 1,
    },
    registry: {
      http: `127.0.0.1:${port}`,
      dns: 'off',
      store,
      'http-max-conns-per-client': 10_000,
    },
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const profile = process.env.BENCH_PROFILE;
  const running = processes.start({
    program: 'env',
    args: [
      `BENCH_GAUGE=${home}/gauge.sock`,
      process.execPath,
      ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
      '--import',
      `${BENCH}registry/gauge.mjs`,
      `${ROOT}src/bin/vane.mjs`,
      'run',
      '-f',
      file,
    ],
    cores: cores.proxy,
  });
  try {
    await untilAnswers(port, running, { path: '/v1/status/leader' });
  } catch (error) {
    await running.end();
    throw error;
  }
  return {
    port,
    gauge: (alive) => {
      const socket = connect(`${home}/gauge.sock`);
      socket.write(alive ?? 'now');
      return json(socket) as Promise<Gauge>;
    },
    end: () => running.end(),
  };
}
