import type { HashConfig } from '../../config/runtime/balance.ts';
import { mix } from '../hash.ts';
import type { ServerSnapshot } from '../server.ts';
import type { Algorithm, AlgorithmDeps } from './algorithm.ts';
import { HashRing } from './hash-ring.ts';
import { Turns } from './turns.ts';

/** Points of a server per unit of weight: shares are off by about 1 / √160, 8 %. */
const POINTS_PER_WEIGHT = 160;
/**
 * Of one server, and of one ring: 8 MB. With more, every server gets half as many, and again: so shares stay what the
 * weights say, but keys move when the heaviest server comes or goes.
 */
const MOST_POINTS = 4_096;
const MOST_IN_ALL = 2 ** 20;
const MOST_HALVINGS = 32;
/** Points looked at before all servers are gone through: only where most are refused. */
const LONGEST_WALK = 256;

/**
 * `hash-type consistent`: a server that comes or goes moves only the keys that are its own, and whoever returns gets
 * its own back. With a balance factor a server that is loaded beyond its share passes keys on to the next one on the
 * ring (consistent hashing with bounded loads, Mirrokni, Thorup and Zadimoghaddam 2018). What has no key takes turns.
 */
export class ConsistentHash implements Algorithm {
  readonly #options: Pick<HashConfig, 'key' | 'balanceFactor'>;
  readonly #load: (id: string) => number;
  readonly #turns = new Turns();
  /** Most work has a key: turns are made when the first that has none comes. */
  #turnsStale = false;
  #servers: readonly ServerSnapshot[] = [];
  readonly #ring = new HashRing();
  #weights = 0;
  /** Work under way, by server and in all. */
  #loads = new Map<string, number>();
  #total = 0;

  constructor(options: Pick<HashConfig, 'key' | 'balanceFactor'>, { load }: Pick<AlgorithmDeps, 'load'>) {
    this.#options = options;
    this.#load = load;
  }

  rebuild(servers: readonly ServerSnapshot[]): void {
    this.#servers = servers;
    this.#turnsStale = true;
    this.#loads = new Map(servers.map(({ id }) => [id, this.#load(id)]));
    this.#total = 0;
    for (const load of this.#loads.values()) this.#total += load;
    this.#weights = 0;
    for (const { weight } of servers) this.#weights += weight;
    let scale = POINTS_PER_WEIGHT;
    for (let halvings = 0; halvings < MOST_HALVINGS && !this.#fits(scale); halvings++) scale /= 2;
    const taken = new Set<string>();
    const members = servers.map((server) => {
      // Two on one address share a place in everything but the port.
      let identity = this.#identity(server);
      if (taken.has(identity)) identity = server.id;
      taken.add(identity);
      return { identity, points: pointsOf(server.weight, scale) };
    });
    this.#ring.set(members);
  }

  pick(accept: (server: ServerSnapshot) => boolean, key?: number): ServerSnapshot | undefined {
    if (key === undefined) return this.#turn(accept);
    if (this.#options.balanceFactor === 0) return this.#next(key, accept);
    return (
      this.#next(key, (server) => this.#hasShareLeft(server) && accept(server)) ?? this.#next(key, accept)
    );
  }

  loadChanged(id: string): void {
    const before = this.#loads.get(id);
    if (before === undefined) return;
    const now = this.#load(id);
    this.#loads.set(id, now);
    this.#total += now - before;
  }

  #turn(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    if (this.#turnsStale) this.#turns.rebuild(this.#servers);
    this.#turnsStale = false;
    return this.#turns.next(accept);
  }

  #next(key: number, accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined {
    const place = this.#ring.placeOf(mix(key));
    const steps = Math.min(LONGEST_WALK, this.#ring.size);
    let last: ServerSnapshot | undefined;
    for (let step = 0; step < steps; step++) {
      const server = this.#servers[this.#ring.ownerAt(place + step)];
      if (!server || server === last) continue;
      if (accept(server)) return server;
      last = server;
    }
    const { length } = this.#servers;
    for (let i = 0; i < length; i++) {
      const server = this.#servers[(key + i) % length];
      if (server && accept(server)) return server;
    }
    return undefined;
  }

  #hasShareLeft({ id, weight }: ServerSnapshot): boolean {
    const share = ((this.#total + 1) * weight) / this.#weights;
    return (this.#loads.get(id) ?? 0) < Math.ceil((share * this.#options.balanceFactor) / 100);
  }

  #identity({ name, address, id }: ServerSnapshot): string {
    switch (this.#options.key) {
      case 'id':
        return name;
      case 'addr':
        return address;
      case 'addr-port':
        return id;
    }
  }

  #fits(scale: number): boolean {
    let sum = 0;
    for (const { weight } of this.#servers) {
      if (weight * scale > MOST_POINTS) return false;
      sum += pointsOf(weight, scale);
    }
    return sum <= MOST_IN_ALL;
  }
}

function pointsOf(weight: number, scale: number): number {
  return Math.max(1, Math.min(MOST_POINTS, Math.round(weight * scale)));
}
