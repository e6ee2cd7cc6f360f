import type { ServerSnapshot } from '../server.ts';
import type { Algorithm } from './algorithm.ts';
import { Turns } from './turns.ts';

/** `balance roundrobin`: each in turn, by weight. */
export class RoundRobin implements Algorithm {
  readonly #turns: Turns;

  /** @param load work under way on a server */
  constructor(load: (id: string) => number) {
    this.#turns = new Turns(load);
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#turns.rebuild(servers);
  }

  pick(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    return this.#turns.next(accept);
  }

  loadChanged(id: string): void {
    this.#turns.loadChanged(id);
  }
}
