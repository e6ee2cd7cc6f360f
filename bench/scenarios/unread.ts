import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Target } from '../bench.ts';
import { BENCH } from '../paths.ts';
import { usageOf } from '../proc.ts';
import { oneServer } from './requests.ts';
import { QUICK, type Sample, type Scenario, SERVERS } from './scenario.ts';

const CLIENTS = 200;
/** For the answers to fill all that holds any of them. */
const SETTLE_MS = 1_500;

export const unreadAnswers: Scenario = {
  name: 'unread-answers',
  title: 'Clients that do not read',
  how: 'What resident memory grows by when 200 clients ask for 10 MB each and read nothing of it; newly started each round.',
  compared: 'bytesPerConnection',
  peers: [...SERVERS, 'http-proxy-3'],
  quickPeers: QUICK,
  fresh: true,
  task: oneServer,
  load: measure,
};

async function measure(target: Target, bench: Bench): Promise<Sample> {
  const { pid } = target.running;
  await sleep(SETTLE_MS);
  const before = usageOf(pid).rssBytes;
  const clients = bench.processes.converse({
    program: bench.node,
    args: [`${BENCH}load/unread.ts`, String(target.port), String(CLIENTS)],
    cores: bench.cores.load,
  });
  if (clients.stdout === null) throw new Error('unread.ts cannot be heard.');
  try {
    const lines = createInterface({ input: clients.stdout });
    const [answered] = await once(lines, 'line', { signal: AbortSignal.timeout(20_000) });
    await sleep(SETTLE_MS);
    const after = usageOf(pid).rssBytes;
    return {
      rssBytesBefore: before,
      rssBytes: after,
      errors: CLIENTS - Number(answered),
      bytesPerConnection: Math.max(0, after - before) / CLIENTS,
    };
  } finally {
    await clients.end();
  }
}
