import { mkdirSync, rmSync } from 'node:fs';
import type { Bench, Target } from './bench.ts';
import type { Peer } from './peers/peer.ts';
import type { Sample, Scenario } from './scenarios/scenario.ts';
import { freePort, untilAnswers } from './sockets.ts';

/** All rounds of a scenario; `samples[n]` is the same round of every peer. */
export interface Outcome {
  readonly scenario: Scenario;
  readonly peers: readonly PeerOutcome[];
}

export interface PeerOutcome {
  readonly peer: Peer;
  /** One of each counted round. Empty if it failed. */
  readonly samples: readonly Sample[];
  readonly failure?: string;
}

/** Told what is going on now. */
export type Progress = (text: string) => void;

/** What has been gathered of one peer so far. */
interface Entry {
  readonly peer: Peer;
  target: Target | undefined;
  readonly samples: Sample[];
  failure?: string;
}

/**
 * Loads each peer in turn, `rounds` times, and never two at once. Each round begins with another peer. A peer that
 * fails is left out from then on.
 */
export async function measure(
  scenario: Scenario,
  peers: readonly Peer[],
  rounds: number,
  seconds: number,
  bench: Bench,
  progress: Progress,
): Promise<Outcome> {
  const entries: Entry[] = peers.map((peer) => ({ peer, target: undefined, samples: [] }));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const entry = entries[(round + turn) % entries.length];
      if (entry === undefined || entry.failure !== undefined) continue;
      progress(`${scenario.title}: round ${round + 1} of ${rounds}, ${entry.peer.title}`);
      try {
        entry.target ??= await start(scenario, entry.peer, bench);
        entry.samples.push(await scenario.load(entry.target, bench, seconds));
      } catch (error) {
        if (bench.processes.isClosed) throw error;
        entry.failure = error instanceof Error ? error.message : String(error);
      }
      if (scenario.fresh || entry.failure !== undefined) await end(entry);
    }
  }
  for (const entry of entries) await end(entry);
  const warmUp = rounds > 1 && !scenario.fresh ? 1 : 0;
  return {
    scenario,
    peers: entries.map(({ peer, samples, failure }) =>
      failure === undefined ? { peer, samples: samples.slice(warmUp) } : { peer, samples: [], failure },
    ),
  };
}

async function start(scenario: Scenario, peer: Peer, bench: Bench): Promise<Target> {
  const folder = folderOf(peer, bench);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const port = await freePort();
  const place = {
    folder,
    port,
    metricsPort: await freePort(),
    controlPort: await freePort(),
    node: bench.node,
  };
  const task = scenario.task(bench.origin);
  const { command, control } = peer.prepare(task, place);
  const running = bench.processes.start({
    ...command,
    cores: scenario.twoCores === true ? bench.cores.twoForProxy : bench.cores.proxy,
  });
  const target = { peer, running, port, ...(control === undefined ? {} : { control }) };
  try {
    if (scenario.seed !== undefined) {
      // Whether it listens cannot be asked of one that has no servers yet.
      await untilAnswers(place.metricsPort, running, { path: '/metrics' });
      await scenario.seed(target, bench);
    }
    if (scenario.ready === undefined) await untilAnswers(port, running, { tls: task.tls === true });
    else await scenario.ready(target, bench);
    return target;
  } catch (error) {
    await running.end();
    throw error;
  }
}

async function end(entry: Entry): Promise<void> {
  const { target } = entry;
  entry.target = undefined;
  await target?.running.end();
}

function folderOf(peer: Peer, bench: Bench): string {
  return `${bench.folder}/${peer.name}`;
}
