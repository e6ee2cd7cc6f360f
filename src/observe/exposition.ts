import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** All series of one metric at one moment. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: () => readonly Sample[];
}

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** `_bucket`, `_sum` and `_count` of a histogram. */
  readonly metricName?: string;
}

export type Labels = Readonly<Record<string, string | number>>;

/** Series after which others get their turn: about a millisecond's work. */
const SERIES_AT_ONCE = 500;

/** Prometheus' text format, written by prom-client. Hands the event loop back now and then. */
export async function exposition(families: Iterable<Family>): Promise<string> {
  const parts: string[] = [];
  let budget = SERIES_AT_ONCE;
  for (const family of families) {
    const samples = family.samples();
    let from = 0;
    do {
      const to = from + budget;
      const text = await written(family, samples.slice(from, to));
      parts.push(from === 0 ? text : withoutHead(text), '\n');
      budget -= Math.min(to, samples.length) - from;
      from = to;
      if (budget > 0) continue;
      budget = SERIES_AT_ONCE;
      await nextTurn();
    } while (from < samples.length);
  }
  return parts.join('');
}

async function written(family: Family, samples: readonly Sample[]): Promise<string> {
  const registry = new Registry();
  registry.registerMetric(new FamilyMetric(family, samples));
  return registry.getSingleMetricAsString(family.name);
}

/** Without the two lines of `# HELP` and `# TYPE`. */
function withoutHead(text: string): string {
  return text.slice(text.indexOf('\n', text.indexOf('\n') + 1) + 1);
}

const KINDS = { counter: Counter, gauge: Gauge, histogram: Histogram };

/**
 * A metric whose series are given once, to be written, instead of being set one by one and kept: what is gone
 * leaves nothing behind. To prom-client it is a gauge that says it is something else.
 */
class FamilyMetric extends Gauge {
  readonly #family: Family;
  readonly #samples: readonly Sample[];

  constructor(family: Family, samples: readonly Sample[]) {
    const { name, help } = family;
    super({ name, help, registers: [] });
    this.#family = family;
    this.#samples = samples;
  }

  override async get() {
    const { name, help, type } = this.#family;
    const empty = await new KINDS[type]({ name, help, registers: [] }).get();
    return { ...empty, values: [...this.#samples] };
  }
}
