import type { ServerSnapshot } from '../server.ts';
import { type Heaped, IndexedHeap } from './indexed-heap.ts';

/** A server's place in the round. Its times are virtual: one unit is a turn for each unit of its weight. */
interface Turn extends Heaped {
  server: ServerSnapshot;
  /** Order among those whose times are level. */
  order: number;
  /** From when on it may have its next turn, and by when it should have had it. */
  start: number;
  finish: number;
}

/** Sums of fractions are never exact: times within this of each other are level. */
const ROUNDING = 1e-10;
/** Virtual time starts anew past this, so that it stays fine enough to tell heavy servers' turns apart. */
const EPOCH = 1024;

/**
 * Weighted round robin, as evenly spread as weights allow: worst-case fair queueing (WF2Q+, Bennett and Zhang 1997)
 * with turns for packets. Virtual time goes on by one turn's share with each turn; of those whose next turn may
 * start, the one whose turn is due first has it. So over any number of turns nobody is a whole turn ahead of its
 * share or behind it, whatever the weights. A turn costs O(log n), and those it is refused for O(log n) each.
 *
 * Whoever is refused keeps the turn that it is owed, and earns nothing more until it has had it.
 */
export class Turns {
  #turns = new Map<string, Turn>();
  /** Those whose next turn may start, and those who have had theirs in advance. */
  #ready = new IndexedHeap<Turn>((a, b) => before(a, b, a.finish - b.finish));
  #early = new IndexedHeap<Turn>((a, b) => before(a, b, a.start - b.start));
  #now = 0;
  #weights = 0;
  readonly #load: ((id: string) => number) | undefined;
  /** Those that have refused a turn, which they keep, and are asked again when their load has changed, or in a round. */
  readonly #parked = new Set<Turn>();
  #turnsSinceAsked = 0;
  #refused: { readonly turn: Turn; readonly heap: IndexedHeap<Turn> }[] = [];

  /** @param load work under way on a server, whose changes {@link loadChanged} is told; undefined: all are asked always */
  constructor(load?: (id: string) => number) {
    this.#load = load;
  }

  /** A new server is owed nothing: it gets its share from now on and no more. */
  rebuild(servers: readonly ServerSnapshot[]): void {
    const turns = new Map<string, Turn>();
    this.#ready = new IndexedHeap<Turn>((a, b) => before(a, b, a.finish - b.finish));
    this.#early = new IndexedHeap<Turn>((a, b) => before(a, b, a.start - b.start));
    this.#weights = 0;
    this.#parked.clear();
    for (const [order, server] of servers.entries()) {
      // From here on, as if virtual time began now. What one has had in advance counts in turns of its own.
      const known = this.#turns.get(server.id);
      const ahead = known ? (known.start - this.#now) * known.server.weight : 0;
      const start = ahead / server.weight;
      turns.set(server.id, { server, order, start, finish: start + 1 / server.weight, at: -1 });
      this.#weights += server.weight;
    }
    this.#turns = turns;
    this.#now = 0;
    for (const turn of turns.values()) this.#enter(turn);
  }

  /** Takes the next turn among those that `accept` allows. */
  next(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    // There are other reasons to refuse than to be full, which no load tells of.
    if (this.#parked.size > 0 && ++this.#turnsSinceAsked >= this.#turns.size) this.#unpark();
    let chosen = this.#take(accept);
    if (!chosen && this.#parked.size > 0) {
      this.#unpark();
      chosen = this.#take(accept);
    }
    if (!chosen) return undefined;
    const share = 1 / this.#weights;
    // More than a turn late: it was out of the running, and that time is not made up for.
    const late = chosen.finish < this.#now - share - ROUNDING;
    chosen.start = (late ? this.#now : chosen.start) + 1 / chosen.server.weight;
    chosen.finish = chosen.start + 1 / chosen.server.weight;
    this.#now += share;
    this.#enter(chosen);
    for (let first = this.#early.first; first && this.#isReady(first); first = this.#early.first) {
      this.#early.remove(first);
      this.#ready.add(first);
    }
    if (this.#now > EPOCH) this.rebuild([...this.#turns.values()].map(({ server }) => server));
    return chosen.server;
  }

  /** A server that was full may have room again. */
  loadChanged(id: string): void {
    if (this.#parked.size === 0) return;
    const turn = this.#turns.get(id);
    if (turn && this.#parked.delete(turn)) this.#enter(turn);
  }

  /** The one whose turn it is among those that `accept` allows, out of the heaps. */
  #take(accept: (server: ServerSnapshot) => boolean): Turn | undefined {
    const ask = (heap: IndexedHeap<Turn>) =>
      heap.find((turn) => {
        if (accept(turn.server)) return true;
        this.#refused.push({ turn, heap });
        return false;
      });
    let chosen = ask(this.#ready);
    if (chosen) this.#ready.remove(chosen);
    else {
      // All that are left have been served in advance: time passes until the first has paid it back.
      chosen = ask(this.#early);
      if (chosen) {
        this.#early.remove(chosen);
        this.#now = Math.max(this.#now, chosen.start);
      }
    }
    this.#park();
    return chosen;
  }

  #unpark(): void {
    for (const turn of this.#parked) this.#enter(turn);
    this.#parked.clear();
    this.#turnsSinceAsked = 0;
  }

  #park(): void {
    if (this.#refused.length === 0) return;
    for (const { turn, heap } of this.#refused) {
      // It may have been asked twice.
      if (this.#parked.has(turn)) continue;
      // One that has nothing to do has refused for another reason, which may be gone with the next piece of work.
      if (!this.#load || this.#load(turn.server.id) === 0) continue;
      heap.remove(turn);
      this.#parked.add(turn);
    }
    this.#refused = [];
  }

  #enter(turn: Turn): void {
    if (this.#isReady(turn)) this.#ready.add(turn);
    else this.#early.add(turn);
  }

  #isReady({ start }: Turn): boolean {
    return start <= this.#now + ROUNDING;
  }
}

function before(a: Turn, b: Turn, difference: number): boolean {
  return Math.abs(difference) <= ROUNDING ? a.order < b.order : difference < 0;
}
