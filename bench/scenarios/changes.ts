import type { Bench, Target } from '../bench.ts';
import { KEEP_ALIVE } from './requests.ts';
import { QUICK, type Scenario } from './scenario.ts';
import { runProgram, underLoad, wrk } from './under-load.ts';

const PER_SECOND = 100;
/** Servers that stay; the other 30 of the origin's 50 come and go. */
const STAYING = 20;

export const changes: Scenario = {
  name: 'changes',
  title: '100 changes a second',
  how: 'Keep-alive GET while 30 of 50 servers come and go, 100 changes a second: in Vane by its registry, in HAProxy by its runtime API.',
  compared: 'perCpuSecond',
  peers: QUICK,
  quickPeers: QUICK,
  task: (origin) => ({ mode: 'http', servers: origin.fast, changes: true }),
  seed: (target, bench) => change(target, bench, 0, 0),
  load: (target, bench, seconds) =>
    underLoad(target, async () => {
      const changing = change(target, bench, seconds, STAYING);
      const [result] = await Promise.all([wrk(target, bench, seconds, KEEP_ALIVE), changing]);
      return result;
    }),
};

async function change(target: Target, bench: Bench, seconds: number, from: number): Promise<void> {
  const { control } = target;
  if (control === undefined) throw new Error(`${target.peer.title} cannot be changed.`);
  const addresses = bench.origin.fast;
  const [where, names] =
    control.kind === 'registry'
      ? [control.port, addresses]
      : [control.path, addresses.map((_, index) => `s${index}`)];
  const args = [control.kind, where, PER_SECOND, seconds, ...names.slice(from)];
  const made = Number(await runProgram(bench, 'changes.ts', args, seconds));
  if (seconds > 0 && made < 0.9 * PER_SECOND * seconds) throw new Error(`only ${made} changes were made`);
}
