import type { Bench, Target } from '../bench.ts';
import type { WrkLoad } from '../load/wrk.ts';
import { changingBackend } from '../peers/peer.ts';
import { KEEP_ALIVE, LAST_ROUTE, ROUTES } from './requests.ts';
import { QUICK, type Scenario } from './scenario.ts';
import { runProgram, underLoad, wrk } from './under-load.ts';

export const CHANGES_PER_SECOND = 100;
/** Servers that stay; the other 30 of the origin's 50 come and go. */
export const STAYING = 20;

export const changes = changing(KEEP_ALIVE, {
  name: 'changes',
  title: '100 changes a second',
  how: 'Keep-alive GET while 30 of 50 servers come and go, 100 changes a second: in Vane by its registry, in HAProxy by its runtime API.',
  task: ({ fast: servers }) => ({ mode: 'http', servers, changes: true }),
});

export const changesAmongMany = changing(LAST_ROUTE, {
  name: 'changes-among-many',
  title: '100 changes a second in one of 200 backends',
  how: 'The same in the backend of the last of 100 routing rules, among 200 backends with 50 servers each.',
  task: ({ fast: servers }) => ({ mode: 'http', servers, changes: true, routes: ROUTES }),
});

function changing(wrkLoad: WrkLoad, of: Pick<Scenario, 'name' | 'title' | 'how' | 'task'>): Scenario {
  const change = (target: Target, bench: Bench, seconds: number, from: number) =>
    makeChanges(target, bench, changingBackend(of.task(bench.origin)), seconds, from);
  return {
    compared: 'perCpuSecond',
    peers: QUICK,
    quickPeers: QUICK,
    seed: (target, bench) => change(target, bench, 0, 0),
    load: (target, bench, seconds) =>
      underLoad(target, async () => {
        const changes = change(target, bench, seconds, STAYING);
        const [result] = await Promise.all([wrk(target, bench, seconds, wrkLoad), changes]);
        return result;
      }),
    ...of,
  };
}

async function makeChanges(
  { control, peer }: Target,
  bench: Bench,
  backend: string,
  seconds: number,
  from: number,
): Promise<void> {
  if (control === undefined) throw new Error(`${peer.title} cannot be changed.`);
  const addresses = bench.origin.fast;
  const [where, names] =
    control.kind === 'registry'
      ? [control.port, addresses]
      : [control.path, addresses.map((_, index) => `${backend}/s${index}`)];
  const args = [control.kind, where, CHANGES_PER_SECOND, seconds, ...names.slice(from)];
  const made = Number(await runProgram(bench, 'changes.ts', args, seconds));
  if (seconds > 0 && made < 0.9 * CHANGES_PER_SECOND * seconds)
    throw new Error(`only ${made} changes were made`);
}
