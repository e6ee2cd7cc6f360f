import type { Bench } from './bench.ts';
import { wrkCommand, wrkResult } from './load/wrk.ts';
import { cores, hasProgram, machine, versionOf } from './machine.ts';
import { measure, type Outcome } from './measure.ts';
import { type Options, UsageError } from './options.ts';
import { portOf, startOrigin } from './origin.ts';
import { ALL_PEERS } from './peers/all.ts';
import type { Peer } from './peers/peer.ts';
import type { Processes } from './processes.ts';
import { clearProgress, printOutcome, progressLine } from './report/print.ts';
import type { Run } from './report/run.ts';
import { ALL_SCENARIOS } from './scenarios/all.ts';
import { KEEP_ALIVE } from './scenarios/requests.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** What a load takes beside its own time, roughly: to start the generator and now and then a proxy. */
const OVERHEAD_S = 0.5;

/** Runs what the options ask for, scenario by scenario. Processes and files are the caller's to clear away. */
export async function runBenchmark(options: Options, processes: Processes, folder: string): Promise<Run> {
  if (!hasProgram('wrk'))
    throw new UsageError('wrk makes the load and is missing: bash bench/install-peers.sh');
  const scenarios = chosen(ALL_SCENARIOS, options.scenarios, 'scenario');
  const wanted = chosen(ALL_PEERS, options.peers, 'peer');
  const peers = wanted.filter((peer) => peer.missing() === undefined);
  const missing = wanted.flatMap((peer) => {
    const hint = peer.missing();
    return hint === undefined ? [] : [`${peer.title} is not installed (${hint}).`];
  });
  for (const one of missing) console.log(one);

  const before = machine();
  const bench = await prepare(processes, folder);
  if (bench.cores.proxy === undefined)
    console.log('Nothing is pinned to a core: that takes two cores and taskset.');
  const direct = await withoutProxy(bench);
  const plan = scenarios.map((scenario) => ({ scenario, peers: participants(scenario, peers, options) }));
  const limit = timeLimit(plan, options);
  const outcomes: Outcome[] = [];
  const leftOut: string[] = [...missing];
  const start = performance.now();
  for (const { scenario, peers: taking } of plan) {
    const minutes = (performance.now() - start) / 60_000;
    if (minutes > limit) {
      leftOut.push(`${scenario.title}: the run had taken ${Math.round(minutes)} minutes already.`);
      continue;
    }
    if (scenario.twoCores === true && bench.cores.twoForProxy === undefined) {
      leftOut.push(`${scenario.title}: that takes four cores and taskset, two of the cores for the proxy.`);
      continue;
    }
    if (scenario.needs !== undefined && !hasProgram(scenario.needs)) {
      leftOut.push(`${scenario.title}: ${scenario.needs} is missing: bash bench/install-peers.sh`);
      continue;
    }
    const progress = (text: string) => progressLine(`[${outcomes.length + 1}/${plan.length}] ${text}`);
    const outcome = await measure(scenario, taking, options.rounds, options.seconds, bench, progress);
    clearProgress();
    printOutcome(outcome);
    outcomes.push(outcome);
  }
  return {
    at: new Date(),
    machine: before,
    pinned: bench.cores.proxy !== undefined,
    versions: versions(peers),
    origin: bench.origin.title,
    direct,
    options,
    outcomes,
    leftOut,
  };
}

async function prepare(processes: Processes, folder: string): Promise<Bench> {
  const apart = cores();
  const node = process.execPath;
  return { processes, cores: apart, node, folder, origin: await startOrigin(processes, apart, node, folder) };
}

/** Requests a second that load and origin reach with nobody between them. */
async function withoutProxy({ processes, origin, cores: apart, folder }: Bench): Promise<number> {
  const command = { ...wrkCommand(KEEP_ALIVE, portOf(origin.fast), 1, folder), cores: apart.load };
  const { done, seconds } = wrkResult(await processes.run(command, 15_000));
  return done / seconds;
}

/** Those of `all` whose names are wanted; all if none are. Throws a UsageError on a name that there is not. */
function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[],
  kind: string,
): readonly T[] {
  const unknown = names.find((name) => all.every((one) => one.name !== name));
  if (unknown === undefined) return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  const known = all.map(({ name }) => name).join(', ');
  throw new UsageError(`There is no ${kind} "${unknown}"; there are ${known}.`);
}

/** Who takes part: those that a scenario has, in a quick run fewer unless they were asked for by name. */
function participants(scenario: Scenario, peers: readonly Peer[], options: Options): readonly Peer[] {
  const few = options.quick && options.peers.length === 0;
  const names = few ? scenario.quickPeers : scenario.peers;
  return peers.filter(({ name }) => names.includes(name));
}

/** Minutes after which no scenario is begun any more, so that a run that hangs ends: 14, or more where more was asked for. */
function timeLimit(plan: readonly { peers: readonly Peer[] }[], options: Options): number {
  const loads = plan.reduce((sum, { peers }) => sum + peers.length, 0) * options.rounds;
  const estimate = (loads * (options.seconds + OVERHEAD_S)) / 60;
  console.log(
    `${plan.length} scenarios, ${loads} loads of ${options.seconds} s: about ${Math.ceil(estimate)} minutes.`,
  );
  return estimate < 13 ? 14 : estimate * 1.25;
}

function versions(peers: readonly Peer[]): [string, string][] {
  return [
    ...peers.flatMap((peer): [string, string][] => {
      const version = peer.version();
      return version === undefined ? [] : [[peer.title, version]];
    }),
    ['Node', process.versions.node],
    ['wrk', versionOf('wrk', ['-v'], /wrk (?:debian\/)?(\S+)/)],
  ];
}
