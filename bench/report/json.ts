import { verdicts } from './bars.ts';
import type { Run } from './run.ts';
import { rowsOf } from './statistics.ts';

/** The run for programs, with every sample. */
export function json(run: Run): string {
  const { at, outcomes, ...rest } = run;
  const scenarios = outcomes.map((outcome) => ({
    name: outcome.scenario.name,
    compared: outcome.scenario.compared,
    rows: rowsOf(outcome),
    samples: Object.fromEntries(outcome.peers.map(({ peer, samples }) => [peer.name, samples])),
  }));
  return `${JSON.stringify({ at: at.toISOString(), ...rest, bars: verdicts(outcomes), scenarios }, null, 2)}\n`;
}
