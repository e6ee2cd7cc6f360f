import type { ServerSnapshot } from '../server.ts';
import type { Algorithm, AlgorithmDeps, Answered } from './algorithm.ts';
import { WeightTable } from './weight-table.ts';

/** How long what was measured counts: after this time without news a measure has fallen to 37 %. */
const DECAY_MS = 10_000;
/** A failure is taken for an answer that took at least this long: failing fast must not draw work. */
const FAILURE_MS = 1_000;
/** What a server with work under way but no answer yet is taken for. */
const UNKNOWN_MS = 1_000;

interface Measure {
  /** Moving average of answer times, ms, as of `at`. */
  average: number;
  /** Clock ms. */
  at: number;
}

/**
 * `balance peak-ewma`: of two servers drawn by weight, the one where an answer is to be expected sooner: its recent
 * answer time times the work before it. The average follows a slow answer at once and a fast one gently, so that a
 * server that turns slow is left within one answer, and is tried again as its measure fades (Finagle's p2cPeakEwma).
 */
export class PeakEwma implements Algorithm {
  readonly #deps: AlgorithmDeps;
  readonly #table = new WeightTable();
  #measures = new Map<string, Measure>();

  constructor(deps: AlgorithmDeps) {
    this.#deps = deps;
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#table.rebuild(servers);
    const measures = new Map<string, Measure>();
    for (const { id } of servers) measures.set(id, this.#measures.get(id) ?? { average: 0, at: 0 });
    this.#measures = measures;
  }

  pick(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    const { random, now } = this.#deps;
    const { servers } = this.#table;
    const index = this.#table.indexAt(random());
    const one = servers[index];
    const other = servers.length > 1 ? servers[this.#table.indexBeside(index, random())] : undefined;
    const first = one && accept(one) ? one : undefined;
    const second = other && accept(other) ? other : undefined;
    if (!first || !second) return first ?? second ?? this.#table.draw(accept, random);
    const at = now();
    return this.#cost(second, at) < this.#cost(first, at) ? second : first;
  }

  answered(id: string, { now, tookMs, failed, unfinished }: Answered): void {
    const measure = this.#measures.get(id);
    if (!measure) return;
    const before = faded(measure, now);
    const answered = unfinished ? Math.max(tookMs, before) : tookMs;
    const took = failed ? Math.max(FAILURE_MS, tookMs, measure.average) : answered;
    // Between two answers at once there is no time to fade by: each counts for a little all the same.
    const old = Math.min(0.9, Math.exp(-(now - measure.at) / DECAY_MS));
    measure.average = took > before ? took : before * old + took * (1 - old);
    measure.at = now;
  }

  #cost(server: ServerSnapshot, now: number): number {
    const measure = this.#measures.get(server.id);
    const load = this.#deps.load(server.id);
    const average = measure ? faded(measure, now) : 0;
    // Nothing known and work under way: whoever has not answered yet may be slow.
    if (average === 0) return load === 0 ? 0 : UNKNOWN_MS * load;
    return (average * (load + 1)) / server.weight;
  }
}

function faded({ average, at }: Measure, now: number): number {
  return average * Math.exp(-Math.max(0, now - at) / DECAY_MS);
}
