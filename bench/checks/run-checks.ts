import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { App } from '../../src/app.ts';
import { silentLog } from '../../src/core/log.ts';
import { LoopDelays } from './loop-delays.ts';
import { configOf, type Kind } from './site.ts';

/** What checking costs the process that does it. */
export interface ChecksRun {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of the p99 and the longest what the process itself has to answer for. */
  readonly ownP99Ms: number;
  readonly ownMaxMs: number;
  /** The same while the first checks were made. */
  readonly firstP99Ms: number;
  /** The whole p99 with nothing to do: what the machine's other work costs. */
  readonly restP99Ms: number;
  /** Processor time of the process, of one core. */
  readonly cpuShare: number;
  /** Servers whose last check was good. */
  readonly good: number;
}

/** How long the process is watched at rest. */
const REST_MS = 5_000;
/** Until all have been checked, and checks are spread over the interval. */
const SETTLE_MS = 6_000;

/** The whole of Vane in this process, and servers that answer in another one. */
export async function runChecks(kind: Kind, servers: number, seconds: number): Promise<ChecksRun> {
  const program = fileURLToPath(new URL('targets.ts', import.meta.url));
  const targets = spawn(process.execPath, [program, String(servers)], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: targets.stdout })[Symbol.asyncIterator]();
    const { value: port } = await lines.next();
    const delays = new LoopDelays();
    delays.start();
    await sleep(REST_MS);
    const rest = delays.stop();
    const app = await App.start(configOf(kind, servers, Number(port), '2s'), {
      version: '0',
      log: silentLog,
      access: () => {},
      accessDropped: () => 0,
      workerOutput: (stdout) => stdout.resume(),
    });
    try {
      delays.start();
      await sleep(SETTLE_MS);
      const first = delays.stop();
      delays.start();
      const before = process.cpuUsage();
      const began = performance.now();
      await sleep(seconds * 1000);
      const { user, system } = process.cpuUsage(before);
      const took = (performance.now() - began) / 1000;
      return {
        perSecond: servers / 2,
        ...delays.stop(),
        firstP99Ms: first.ownP99Ms,
        restP99Ms: rest.p99Ms,
        cpuShare: (user + system) / 1e6 / took,
        good: await goodOf(app.ports.stats),
      };
    } finally {
      await app.stop();
    }
  } finally {
    targets.kill();
    if (targets.exitCode === null) await once(targets, 'exit');
  }
}

async function goodOf(port: number | undefined): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const good = /^haproxy_server_check_status\{.*state="L[47]OK".*\} 1$/gm;
  return [...(await answer.text()).matchAll(good)].length;
}
