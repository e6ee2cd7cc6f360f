import type { ServerSnapshot } from '../server.ts';
import type { Algorithm } from './algorithm.ts';
import { type Heaped, IndexedHeap } from './indexed-heap.ts';

interface Place extends Heaped {
  readonly server: ServerSnapshot;
  readonly order: number;
  full: boolean;
}

/** `balance first`: the first one that has room, so that as few as possible are in use. Weights count for nothing. */
export class First implements Algorithm {
  readonly #load: (id: string) => number;
  #places = new Map<string, Place>();
  #heap = new IndexedHeap<Place>(before);

  constructor(load: (id: string) => number) {
    this.#load = load;
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#places = new Map();
    this.#heap = new IndexedHeap<Place>(before);
    for (const [order, server] of servers.entries()) {
      const place = { server, order, full: this.#isFull(server), at: -1 };
      this.#places.set(server.id, place);
      this.#heap.add(place);
    }
  }

  pick(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    return this.#heap.find(({ server }) => accept(server))?.server;
  }

  loadChanged(id: string): void {
    const place = this.#places.get(id);
    if (!place) return;
    const full = this.#isFull(place.server);
    if (full === place.full) return;
    place.full = full;
    this.#heap.moved(place);
  }

  #isFull({ id, maxconn }: ServerSnapshot): boolean {
    return maxconn > 0 && this.#load(id) >= maxconn;
  }
}

function before(a: Place, b: Place): boolean {
  return a.full === b.full ? a.order < b.order : b.full;
}
