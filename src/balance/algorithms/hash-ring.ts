import { mix } from '../hash.ts';

/** Who stands on the ring, and with how many points. */
export interface RingMember {
  readonly identity: string;
  readonly points: number;
}

/**
 * A ring of hashes, each belonging to a member: a key belongs to the member of the first hash at or after it. Where a
 * member's points stand depends on its identity alone, so that members who come and go move only their own keys, and
 * one who returns gets its keys back. Not changed once it is made.
 */
export class HashRing {
  /** Rising. */
  readonly #hashes: Uint32Array;
  /** Index of the member that each hash belongs to. */
  readonly #owners: Uint32Array;
  /** Which of its member's points each one is. */
  readonly #ordinals: Uint16Array;
  readonly members: readonly RingMember[];

  private constructor(
    members: readonly RingMember[],
    hashes: Uint32Array,
    owners: Uint32Array,
    ordinals: Uint16Array,
  ) {
    this.members = members;
    this.#hashes = hashes;
    this.#owners = owners;
    this.#ordinals = ordinals;
  }

  static readonly EMPTY = new HashRing([], new Uint32Array(0), new Uint32Array(0), new Uint16Array(0));

  get size(): number {
    return this.#hashes.length;
  }

  /** The same ring for other members: what stays is not hashed again, so that a change costs one pass. Identities are unique. */
  with(members: readonly RingMember[]): HashRing {
    const before = new Map(this.members.map((member, i) => [member.identity, { ...member, i }]));
    /** By old index: the new one, or -1. */
    const movedTo = new Int32Array(this.members.length).fill(-1);
    const added: { hash: number; owner: number; ordinal: number }[] = [];
    let size = 0;
    for (const [owner, { identity, points }] of members.entries()) {
      size += points;
      const known = before.get(identity);
      if (known) movedTo[known.i] = owner;
      const seed = seedOf(identity);
      const stride = mix(seed ^ 0x9e3779b9) | 1;
      for (let ordinal = known?.points ?? 0; ordinal < points; ordinal++) {
        added.push({ hash: mix((seed + Math.imul(ordinal, stride)) | 0), owner, ordinal });
      }
    }
    // Members of one hash stand in the order of their identities: however they came, the ring is the same.
    const identityOf = (owner: number) => members[owner]?.identity ?? '';
    added.sort((a, b) => a.hash - b.hash || (identityOf(a.owner) < identityOf(b.owner) ? -1 : 1));

    const hashes = new Uint32Array(size);
    const owners = new Uint32Array(size);
    const ordinals = new Uint16Array(size);
    let to = 0;
    let next = 0;
    const put = (hash: number, owner: number, ordinal: number) => {
      hashes[to] = hash;
      owners[to] = owner;
      ordinals[to++] = ordinal;
    };
    for (let from = 0; from < this.#hashes.length; from++) {
      const owner = movedTo[this.#owners[from] ?? 0] ?? -1;
      const ordinal = this.#ordinals[from] ?? 0;
      if (owner < 0 || ordinal >= (members[owner]?.points ?? 0)) continue;
      const hash = this.#hashes[from] ?? 0;
      for (let one = added[next]; one && comesFirst(one, hash, owner); one = added[++next]) {
        put(one.hash, one.owner, one.ordinal);
      }
      put(hash, owner, ordinal);
    }
    for (let one = added[next]; one; one = added[++next]) put(one.hash, one.owner, one.ordinal);
    return new HashRing(members, hashes, owners, ordinals);

    function comesFirst(one: { hash: number; owner: number }, hash: number, owner: number): boolean {
      return one.hash < hash || (one.hash === hash && identityOf(one.owner) < identityOf(owner));
    }
  }

  /** The place of the first point at or after `key`; 0 past the last one. */
  placeOf(key: number): number {
    const hashes = this.#hashes;
    let low = 0;
    let high = hashes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((hashes[middle] ?? 0) < key) low = middle + 1;
      else high = middle;
    }
    return low === hashes.length ? 0 : low;
  }

  /** The index of the member at a place; the ring goes on from its end. -1: there is nobody. */
  ownerAt(place: number): number {
    return this.size === 0 ? -1 : (this.#owners[place % this.size] ?? -1);
  }
}

/** FNV-1a. */
function seedOf(identity: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < identity.length; i++) hash = Math.imul(hash ^ identity.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
