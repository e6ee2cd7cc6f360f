import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Bench, Target } from '../bench.ts';
import { BENCH } from '../paths.ts';
import { usageOf } from '../proc.ts';
import { oneServer } from './requests.ts';
import { QUICK, type Sample, type Scenario, SERVERS } from './scenario.ts';

const CONNECTIONS = 2000;
/** For what the opening has left behind to be tidied up. */
const SETTLE_MS = 500;

export const idleConnections: Scenario = {
  name: 'idle-connections',
  title: 'Idle connections',
  how: 'What resident memory grows by from 2,000 to 4,000 connections that have made a request and are kept alive; newly started each round.',
  compared: 'bytesPerConnection',
  peers: [...SERVERS, 'http-proxy-3'],
  quickPeers: QUICK,
  fresh: true,
  task: oneServer,
  load: measure,
};

/** The first connections make what a process needs once; the next show what each one costs. */
async function measure(target: Target, bench: Bench): Promise<Sample> {
  const holder = bench.processes.converse({
    program: bench.node,
    args: [`${BENCH}load/idle.ts`, String(target.port)],
    cores: bench.cores.load,
  });
  const { stdin, stdout } = holder;
  if (stdin === null || stdout === null) throw new Error('idle.ts cannot be spoken to.');
  const lines = createInterface({ input: stdout });
  const openMore = async (): Promise<number> => {
    stdin.write(`${CONNECTIONS}\n`);
    const [open] = await once(lines, 'line', { signal: AbortSignal.timeout(20_000) });
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return Number(open);
  };
  try {
    const first = await openMore();
    const before = usageOf(target.running.pid).rssBytes;
    const open = await openMore();
    const after = usageOf(target.running.pid).rssBytes;
    return {
      rssBytes: after,
      errors: 2 * CONNECTIONS - open,
      bytesPerConnection: Math.max(0, after - before) / Math.max(1, open - first),
    };
  } finally {
    await holder.end();
  }
}
