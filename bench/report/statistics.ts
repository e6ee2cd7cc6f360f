import type { Outcome, PeerOutcome } from '../measure.ts';
import type { Compared, Sample } from '../scenarios/scenario.ts';

/** Middle and ends of the same figure over the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The figures of one peer in one scenario, as they are shown. */
export interface Row {
  readonly peer: string;
  readonly title: string;
  readonly figures: { readonly [K in keyof Sample]?: Spread };
  /** The compared figure as a multiple of HAProxy's in the same round. */
  readonly toHaproxy?: Spread;
  readonly failure?: string;
}

export const KEYS = [
  'perSecond',
  'p50Ms',
  'p99Ms',
  'perCpuSecond',
  'cpuShare',
  'rssBytes',
  'errors',
  'bytesPerConnection',
  'rssBytesBefore',
  'peakPerSecond',
  'directP99Ms',
] as const satisfies readonly (keyof Sample)[];

/** Spread of the numbers there are; undefined of none. */
export function spread(values: readonly (number | undefined)[]): Spread | undefined {
  const sorted = values.filter((value) => value !== undefined).sort(byValue);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return undefined;
  const middle = (sorted.length - 1) / 2;
  const [low = min, high = max] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return { median: (low + high) / 2, min, max };
}

export function rowsOf(outcome: Outcome): Row[] {
  const { compared } = outcome.scenario;
  return outcome.peers.map((one) => {
    const toHaproxy = ratio(outcome, one.peer.name, 'haproxy', compared);
    return {
      peer: one.peer.name,
      title: one.peer.title,
      figures: figuresOf(one),
      ...(toHaproxy === undefined ? {} : { toHaproxy }),
      ...(one.failure === undefined ? {} : { failure: one.failure }),
    };
  });
}

/** How `compared` of one peer relates to that of another, round by round; undefined if one has none. */
export function ratio(outcome: Outcome, peer: string, base: string, compared: Compared): Spread | undefined {
  const samples = samplesOf(outcome, peer);
  const baseSamples = samplesOf(outcome, base);
  return spread(
    samples.map((sample, round) => {
      const [above, below] = [sample[compared], baseSamples[round]?.[compared]];
      return above === undefined || below === undefined || below === 0 ? undefined : above / below;
    }),
  );
}

export function samplesOf(outcome: Outcome, peer: string): readonly Sample[] {
  return outcome.peers.find((one) => one.peer.name === peer)?.samples ?? [];
}

function figuresOf({ samples }: PeerOutcome): Row['figures'] {
  return Object.fromEntries(
    KEYS.flatMap((key) => {
      const found = spread(samples.map((sample) => sample[key]));
      return found === undefined ? [] : [[key, found]];
    }),
  );
}

function byValue(a: number, b: number): number {
  return a - b;
}
