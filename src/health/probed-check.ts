import type { Clock } from '../core/clock.ts';
import type { CheckDefinition } from '../registry/model.ts';
import { type ProbedKind, probeFor } from './probes.ts';
import type { Reporter } from './report.ts';
import { Runner } from './runner.ts';
import type { Slots } from './slots.ts';
import { ConsulThreshold } from './threshold.ts';

/** After a restart what is stored may be long out of date: the first look comes within this time, ms. */
const PROMPT_MS = 1000;

export interface ProbedOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly slots: Slots;
  /** Shorter intervals are raised to this, ms. */
  readonly minInterval: number;
  /** {@link parseDockerHost} */
  readonly dockerHost: string;
}

/** A check of a {@link ProbedKind}: run again and again, reported when its threshold admits the result. */
export class ProbedCheck {
  readonly #runner: Runner;

  /** @param prompt run it soon instead of at a random moment of its interval */
  constructor(
    kind: ProbedKind,
    definition: CheckDefinition,
    prompt: boolean,
    reporter: Reporter,
    options: ProbedOptions,
  ) {
    const { clock, random, slots } = options;
    const threshold = new ConsulThreshold(definition);
    const interval = Math.max(definition.interval, options.minInterval);
    this.#runner = new Runner({
      clock,
      random,
      slots,
      ...probeFor(kind, definition, options.dockerHost),
      interval,
      firstWithin: prompt ? Math.min(interval, PROMPT_MS) : interval,
      onResult: ({ status, output }) => {
        if (threshold.admits(status)) reporter.report(status, output);
      },
    });
  }

  start(): void {
    this.#runner.start();
  }

  stop(): Promise<void> {
    return this.#runner.stop();
  }
}
