import type { Machine } from '../machine.ts';
import type { Outcome } from '../measure.ts';
import type { Options } from '../options.ts';

/** Everything that is known after a run. */
export interface Run {
  readonly at: Date;
  readonly machine: Machine;
  readonly pinned: boolean;
  /** Title and version of each program that took part. */
  readonly versions: readonly (readonly [string, string])[];
  readonly origin: string;
  /** What the same load does without a proxy, in requests a second: the most that any proxy could show. */
  readonly direct: number;
  readonly options: Options;
  readonly outcomes: readonly Outcome[];
  /** What was not measured, and why. */
  readonly leftOut: readonly string[];
}

/** Whether the machine was doing something else, which makes the figures worth little. */
export function wasBusy({ machine }: Run): boolean {
  return machine.loadBefore > 0.3 * machine.cores;
}
