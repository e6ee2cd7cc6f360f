import type { ServerSnapshot } from '../server.ts';
import type { Algorithm } from './algorithm.ts';
import { Turns } from './turns.ts';
import { WeightTable } from './weight-table.ts';

/**
 * `hash-type map-based`: the keys are spread over a table of the servers in their order, exactly by weight. Any change
 * of the set moves most of them. What has no key takes turns.
 */
export class MapHash implements Algorithm {
  readonly #table = new WeightTable();
  readonly #turns = new Turns();

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#table.rebuild(servers);
    this.#turns.rebuild(servers);
  }

  pick(accept: (server: ServerSnapshot) => boolean, key?: number): ServerSnapshot | undefined {
    if (key === undefined) return this.#turns.next(accept);
    const { servers } = this.#table;
    const from = this.#table.indexAt(key / 2 ** 32);
    for (let i = 0; i < servers.length; i++) {
      const server = servers[(from + i) % servers.length];
      if (server && accept(server)) return server;
    }
    return undefined;
  }
}
