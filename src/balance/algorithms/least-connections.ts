import type { ServerSnapshot } from '../server.ts';
import type { Algorithm } from './algorithm.ts';
import { type Heaped, IndexedHeap } from './indexed-heap.ts';

interface Place extends Heaped {
  readonly server: ServerSnapshot;
  readonly order: number;
  /** Work under way for its weight. */
  burden: number;
  /** When its next turn starts, in virtual time: see {@link LeastConnections}. */
  start: number;
}

/**
 * `balance leastconn`: the least work for its weight. Those that are level take turns by weight (start-time fair
 * queueing, Goyal, Vin and Cheng 1996), so that weights count for something while there is too little work to tell
 * the servers apart: with plain turns every server would get the same then.
 */
export class LeastConnections implements Algorithm {
  readonly #load: (id: string) => number;
  #places = new Map<string, Place>();
  #heap = new IndexedHeap<Place>(before);
  #now = 0;

  constructor(load: (id: string) => number) {
    this.#load = load;
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    const places = new Map<string, Place>();
    this.#heap = new IndexedHeap<Place>(before);
    for (const [order, server] of servers.entries()) {
      const known = this.#places.get(server.id);
      const ahead = known ? Math.max(0, known.start - this.#now) * known.server.weight : 0;
      const burden = this.#load(server.id) / server.weight;
      const place = { server, order, burden, start: ahead / server.weight, at: -1 };
      places.set(server.id, place);
      this.#heap.add(place);
    }
    this.#places = places;
    this.#now = 0;
  }

  pick(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    const chosen = this.#heap.find(({ server }) => accept(server));
    if (!chosen) return undefined;
    this.#now = Math.max(this.#now, chosen.start);
    chosen.start = this.#now + 1 / chosen.server.weight;
    this.#heap.moved(chosen);
    return chosen.server;
  }

  loadChanged(id: string): void {
    const place = this.#places.get(id);
    if (!place) return;
    place.burden = this.#load(id) / place.server.weight;
    this.#heap.moved(place);
  }
}

function before(a: Place, b: Place): boolean {
  if (a.burden !== b.burden) return a.burden < b.burden;
  return a.start !== b.start ? a.start < b.start : a.order < b.order;
}
