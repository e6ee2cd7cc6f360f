import type { ServerSnapshot } from '../server.ts';
import type { Algorithm, AlgorithmDeps } from './algorithm.ts';
import { WeightTable } from './weight-table.ts';

/** `balance random(draws)`: the least loaded of a few servers drawn by weight ("power of two choices"). */
export class RandomDraws implements Algorithm {
  readonly #draws: number;
  readonly #deps: Pick<AlgorithmDeps, 'random' | 'load'>;
  readonly #table = new WeightTable();

  constructor(draws: number, deps: Pick<AlgorithmDeps, 'random' | 'load'>) {
    this.#draws = draws;
    this.#deps = deps;
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#table.rebuild(servers);
  }

  pick(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    const { random, load } = this.#deps;
    const { servers } = this.#table;
    let best: ServerSnapshot | undefined;
    let least = Infinity;
    for (let draw = 0; draw < this.#draws; draw++) {
      const server = servers[this.#table.indexAt(random())];
      if (!server || !accept(server)) continue;
      const burden = load(server.id) / server.weight;
      if (!best || burden < least) {
        best = server;
        least = burden;
      }
    }
    return best ?? this.#table.draw(accept, random);
  }
}
