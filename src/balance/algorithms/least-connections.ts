import type { ServerSnapshot } from '../server.ts';
import type { Algorithm } from './algorithm.ts';
import { type Turn, Turns } from './turns.ts';

/**
 * `balance leastconn`: the least work for its weight. Those that are level take turns by weight, so that
 * weights count for something while there is too little work to tell the servers apart (with plain turns every
 * server would get the same then).
 */
export class LeastConnections implements Algorithm {
  readonly #turns = new Turns();
  readonly #load: (id: string) => number;

  constructor(load: (id: string) => number) {
    this.#load = load;
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#turns.rebuild(servers);
  }

  pick(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    const turns = this.#turns.all;
    let least = Infinity;
    // Those that are level so far: loads are asked for once, for each of what may be many servers.
    let level: Turn[] = [];
    for (const turn of turns) {
      turn.candidate = false;
      if (!accept(turn.server)) continue;
      const burden = this.#burden(turn.server);
      if (burden > least) continue;
      if (burden < least) level = [];
      least = burden;
      level.push(turn);
    }
    for (const turn of level) turn.candidate = true;
    return this.#turns.next();
  }

  #burden(server: ServerSnapshot): number {
    return this.#load(server.id) / server.weight;
  }
}
