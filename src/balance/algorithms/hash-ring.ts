import { mix } from '../hash.ts';

/** Who stands on the ring, and with how many points. */
export interface RingMember {
  readonly identity: string;
  readonly points: number;
}

/** A point is one number, its hash before its member's slot: so points in order are numbers in order. */
const SLOTS = 2 ** 21;

interface Standing {
  /** Its own for as long as it stays. */
  readonly slot: number;
  readonly points: number;
}

/**
 * A ring of hashes, each belonging to a member: a key belongs to the member of the first hash at or after it. Where a
 * member's points stand depends on its identity alone, so that members who come and go move only their own keys, and
 * one who returns gets its keys back.
 */
export class HashRing {
  /** By hash; those of one hash by the identity of their members, so that however they came, the ring is the same. */
  #points = new Float64Array(0);
  /** How many of them are in use. */
  #size = 0;
  #standing: ReadonlyMap<string, Standing> = new Map();
  /** By slot: who has it, and its place among the members. */
  readonly #identities: string[] = [];
  readonly #indexes: number[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#size;
  }

  /**
   * Takes the members that there are from now on; identities are unique. Of those that stay as they are nothing is
   * hashed or sorted: what stands between two points that change is moved as it is.
   */
  set(members: readonly RingMember[]): void {
    const before = this.#standing;
    const after = new Map<string, Standing>();
    const added: number[] = [];
    const gone: number[] = [];
    for (const [index, { identity, points }] of members.entries()) {
      const known = before.get(identity);
      const slot = known?.slot ?? this.#free.pop() ?? this.#identities.length;
      this.#identities[slot] = identity;
      this.#indexes[slot] = index;
      const had = known?.points ?? 0;
      if (points > had) pointsOf(identity, slot, had, points, added);
      else if (points < had) pointsOf(identity, slot, points, had, gone);
      after.set(identity, known?.points === points ? known : { slot, points });
    }
    const left: number[] = [];
    for (const [identity, { slot, points }] of before) {
      if (after.has(identity)) continue;
      pointsOf(identity, slot, 0, points, gone);
      left.push(slot);
    }
    if (gone.length > 0) this.#remove(gone);
    if (added.length > 0) this.#insert(this.#sorted(added));
    this.#standing = after;
    this.#free.push(...left);
  }

  /** The place of the first point at or after `key`; 0 past the last one. */
  placeOf(key: number): number {
    const place = this.#from(key);
    return place === this.size ? 0 : place;
  }

  /** The index of the member at a place; the ring goes on from its end. -1: there is nobody. */
  ownerAt(place: number): number {
    const { size } = this;
    if (size === 0) return -1;
    return this.#indexes[(this.#points[place % size] ?? 0) % SLOTS] ?? -1;
  }

  #remove(points: readonly number[]): void {
    const places = Uint32Array.from(points, (point) => this.#placeOfPoint(point)).sort();
    let to = places[0] ?? this.#size;
    for (const [i, place] of places.entries()) {
      const end = places[i + 1] ?? this.#size;
      this.#points.copyWithin(to, place + 1, end);
      to += end - place - 1;
    }
    this.#size = to;
  }

  /** @param points in the order of the ring */
  #insert(points: Float64Array): void {
    const places = Uint32Array.from(points, (point) => this.#placeFor(point));
    let end = this.#size;
    let to = end + points.length;
    this.#size = to;
    if (to > this.#points.length) {
      const grown = new Float64Array(to + (to >> 3));
      grown.set(this.#points);
      this.#points = grown;
    }
    // From the end on, so that nothing is overwritten before it has been moved.
    for (let i = points.length - 1; i >= 0; i--) {
      const place = places[i] ?? 0;
      if (place < end) this.#points.copyWithin(to - (end - place), place, end);
      to -= end - place;
      this.#points[--to] = points[i] ?? 0;
      end = place;
    }
  }

  /** In the order of the ring. */
  #sorted(points: readonly number[]): Float64Array {
    const sorted = Float64Array.from(points).sort();
    for (let i = 1; i < sorted.length; i++) {
      // Rarely are there two of one hash.
      for (let at = i; at > 0 && this.#comesFirst(sorted[at] ?? 0, sorted[at - 1] ?? 0); at--) {
        [sorted[at - 1], sorted[at]] = [sorted[at] ?? 0, sorted[at - 1] ?? 0];
      }
    }
    return sorted;
  }

  #comesFirst(point: number, other: number): boolean {
    const [hash, otherHash] = [Math.floor(point / SLOTS), Math.floor(other / SLOTS)];
    if (hash !== otherHash) return hash < otherHash;
    return (this.#identities[point % SLOTS] ?? '') < (this.#identities[other % SLOTS] ?? '');
  }

  /** Where a point that is not there yet goes. */
  #placeFor(point: number): number {
    let place = this.#from(Math.floor(point / SLOTS));
    while (place < this.size && this.#comesFirst(this.#points[place] ?? 0, point)) place++;
    return place;
  }

  #placeOfPoint(point: number): number {
    let place = this.#from(Math.floor(point / SLOTS));
    while (place < this.#size && this.#points[place] !== point) place++;
    return place;
  }

  /** The place of the first point whose hash is not lower; past the last one, their number. */
  #from(hash: number): number {
    const points = this.#points;
    const key = hash * SLOTS;
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((points[middle] ?? 0) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Adds some of a member's points, by their numbers. No two of a member have one hash. */
function pointsOf(identity: string, slot: number, first: number, end: number, into: number[]): void {
  const seed = seedOf(identity);
  const stride = mix(seed ^ 0x9e3779b9) | 1;
  for (let i = first; i < end; i++) into.push(mix((seed + Math.imul(i, stride)) | 0) * SLOTS + slot);
}

/** FNV-1a. */
function seedOf(identity: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < identity.length; i++) hash = Math.imul(hash ^ identity.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
