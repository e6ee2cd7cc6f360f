import type { ServerSnapshot } from '../server.ts';

/** Draws before all are asked. */
const DRAWS = 32;

/** Servers side by side on a line from 0 to 1, each as long as its share of all weights. */
export class WeightTable {
  #servers: readonly ServerSnapshot[] = [];
  /** For each server the sum of the weights up to and with its own. */
  #sums = new Float64Array(0);

  get servers(): readonly ServerSnapshot[] {
    return this.#servers;
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#servers = servers;
    this.#sums = new Float64Array(servers.length);
    let sum = 0;
    for (const [i, { weight }] of servers.entries()) this.#sums[i] = sum += weight;
  }

  /**
   * The index of the server at that place; 0 where there is none.
   *
   * @param fraction in [0, 1)
   */
  indexAt(fraction: number): number {
    return this.#indexOf(fraction * this.#total);
  }

  /** The same on the line without the server of that index. There must be another one. */
  indexBeside(without: number, fraction: number): number {
    const before = without === 0 ? 0 : (this.#sums[without - 1] ?? 0);
    const share = (this.#sums[without] ?? 0) - before;
    const point = fraction * (this.#total - share);
    if (point < before) return this.#indexOf(point);
    // What is rounded may fall back on the one that is left out.
    const index = this.#indexOf(point + share);
    return index === without ? (without + 1) % this.#servers.length : index;
  }

  /**
   * One of those that are accepted, drawn by weight; undefined: none is. Where many are, a few draws find one; where few
   * are, all are asked.
   */
  draw(accept: (server: ServerSnapshot) => boolean, random: () => number): ServerSnapshot | undefined {
    for (let draw = 0; draw < DRAWS; draw++) {
      const server = this.#servers[this.indexAt(random())];
      if (server && accept(server)) return server;
    }
    return drawAmong(this.#servers, accept, random);
  }

  get #total(): number {
    return this.#sums.at(-1) ?? 0;
  }

  #indexOf(point: number): number {
    const sums = this.#sums;
    let low = 0;
    let high = Math.max(0, sums.length - 1);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (point < (sums[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** One of those that are accepted, however few, drawn by weight. Costs O(n). */
function drawAmong(
  servers: readonly ServerSnapshot[],
  accept: (server: ServerSnapshot) => boolean,
  random: () => number,
): ServerSnapshot | undefined {
  let chosen: ServerSnapshot | undefined;
  let sum = 0;
  for (const server of servers) {
    if (!accept(server)) continue;
    sum += server.weight;
    // Each replaces the one before by its share.
    if (!chosen || random() * sum < server.weight) chosen = server;
  }
  return chosen;
}
