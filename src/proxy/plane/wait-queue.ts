import type { Cancel, Clock } from '../../core/clock.ts';
import type { VaneError } from '../../core/errors.ts';
import type { Lease, Waiting } from './lease.ts';
import { QueuePace } from './queue-pace.ts';

/** One piece of work in line for a server. */
export interface Place {
  readonly since: number;
  /** Servers it has already been to. */
  readonly tried: ReadonlySet<string>;
  /** The only server it may go to. */
  readonly stay: string | undefined;
  /** The server that its client belongs to. */
  readonly bound?: string | undefined;
  /** What it is hashed by. */
  readonly key?: number | undefined;
  resolve(lease: Lease): void;
  reject(reason: VaneError): void;
}

/** Work in line for a server, first come first served. Bounded by its owner; every place has an end. */
export class WaitQueue {
  readonly #clock: Clock;
  readonly #places = new Map<Place, Cancel | undefined>();
  readonly #pace = new QueuePace();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get length(): number {
    return this.#places.size;
  }

  /** How many wait for one server and no other. */
  waitingFor(id: string): number {
    let count = 0;
    for (const { stay, bound } of this.#places.keys()) if ((stay ?? bound) === id) count++;
    return count;
  }

  /** How long one who joins now is going to wait, ms, as far as the pace of late tells; undefined: it does not. */
  get expectedMs(): number | undefined {
    return this.#pace.waitFor(this.#places.size + 1, this.#clock.now());
  }

  /** @param timeout ms until it is turned away with what `late` returns; 0: waits as long as it takes */
  join(
    want: Pick<Place, 'tried' | 'stay' | 'bound' | 'key'>,
    timeout: number,
    late: () => VaneError,
  ): Waiting {
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const place: Place = { ...want, since: this.#clock.now(), resolve, reject };
    const leave = (reason: VaneError) => {
      if (this.#remove(place)) reject(reason);
    };
    this.#pace.begin(place.since);
    this.#places.set(place, timeout > 0 ? this.#clock.after(timeout, () => leave(late())) : undefined);
    return { lease: promise, leave };
  }

  /**
   * Offers each place in turn to `serve`, which returns a lease or undefined.
   * @param over says that nobody further back can be served either
   */
  serve(serve: (place: Place) => Lease | undefined, over: () => boolean): void {
    for (const place of [...this.#places.keys()]) {
      if (over()) return;
      const lease = serve(place);
      if (!lease) continue;
      this.#pace.served(this.#clock.now());
      if (this.#remove(place)) place.resolve(lease);
    }
  }

  /** Turns everybody away. */
  clear(reason: VaneError): void {
    for (const place of [...this.#places.keys()]) {
      if (this.#remove(place)) place.reject(reason);
    }
  }

  #remove(place: Place): boolean {
    this.#places.get(place)?.();
    const was = this.#places.delete(place);
    if (was && this.#places.size === 0) this.#pace.end(this.#clock.now());
    return was;
  }
}
