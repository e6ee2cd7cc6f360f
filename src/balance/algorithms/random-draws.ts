import type { ServerSnapshot } from '../server.ts';
import type { Algorithm, AlgorithmDeps } from './algorithm.ts';

/** `balance random(draws)`: the least loaded of a few servers drawn by weight ("power of two choices"). */
export class RandomDraws implements Algorithm {
  readonly #draws: number;
  readonly #deps: AlgorithmDeps;
  #servers: readonly ServerSnapshot[] = [];
  /** For each server the sum of the weights up to and with its own. */
  #sums = new Float64Array(0);

  constructor(draws: number, deps: AlgorithmDeps) {
    this.#draws = draws;
    this.#deps = deps;
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#servers = servers;
    this.#sums = new Float64Array(servers.length);
    let sum = 0;
    for (const [i, { weight }] of servers.entries()) this.#sums[i] = sum += weight;
  }

  pick(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    let best: ServerSnapshot | undefined;
    let least = Infinity;
    for (let draw = 0; draw < this.#draws; draw++) {
      const server = this.#draw();
      if (!server || !accept(server)) continue;
      const burden = this.#deps.load(server.id) / server.weight;
      if (!best || burden < least) {
        best = server;
        least = burden;
      }
    }
    return best ?? this.#drawAmong(accept);
  }

  #draw(): ServerSnapshot | undefined {
    const sums = this.#sums;
    const point = this.#deps.random() * (sums.at(-1) ?? 0);
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (point < (sums[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return this.#servers[low];
  }

  /** One draw by weight among those that are accepted, however few: each replaces the one before by its share. */
  #drawAmong(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    let chosen: ServerSnapshot | undefined;
    let sum = 0;
    for (const server of this.#servers) {
      if (!accept(server)) continue;
      sum += server.weight;
      if (!chosen || this.#deps.random() * sum < server.weight) chosen = server;
    }
    return chosen;
  }
}
