import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { App } from '../../src/app.ts';
import { silentLog } from '../../src/core/log.ts';
import { configOf, type Site } from './site.ts';

/** How late the control process is with anything else while the registry is told of changes. */
export interface Pushes {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The same p99 before the first change: what the machine's other work costs, for one thing. */
  readonly restP99Ms: number;
  /** Processor time of the process, of one core. */
  readonly cpuShare: number;
}

/** How long it is watched at rest. */
const REST_MS = 5_000;
/** Timers are looked at this often, and this much of what is measured is no delay. */
const RESOLUTION_MS = 10;

/**
 * The whole of Vane in this process, with so many workers (0: the data plane is in this process too), while changes
 * come over the registry's API from another one.
 */
export async function pushes(site: Site, workers: number, rate: number, seconds: number): Promise<Pushes> {
  const app = await App.start(configOf(site, `workers: ${workers}`), {
    version: '0',
    log: silentLog,
    access: () => {},
    accessDropped: () => 0,
    workerOutput: (stdout) => stdout.resume(),
  });
  const args = [app.ports.registryHttp, site.backends, site.servers, rate, seconds].map(String);
  const program = fileURLToPath(new URL('pusher.ts', import.meta.url));
  const pusher = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: pusher.stdout })[Symbol.asyncIterator]();
    await lines.next();
    const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    const ms = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
    delays.enable();
    await sleep(REST_MS);
    const restP99Ms = ms(delays.percentile(99));
    delays.reset();
    const before = process.cpuUsage();
    pusher.stdin.write('go\n');
    const { value: made } = await lines.next();
    delays.disable();
    const { user, system } = process.cpuUsage(before);
    return {
      perSecond: Number(made) / seconds,
      p50Ms: ms(delays.percentile(50)),
      p99Ms: ms(delays.percentile(99)),
      maxMs: ms(delays.max),
      restP99Ms,
      cpuShare: (user + system) / 1e6 / seconds,
    };
  } finally {
    if (pusher.exitCode === null) {
      pusher.kill();
      await once(pusher, 'exit');
    }
    await app.stop();
  }
}
