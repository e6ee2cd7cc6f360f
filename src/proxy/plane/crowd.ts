/** What a {@link Crowd} is made of: it keeps its place there, and nobody else changes that. */
export interface Member {
  place: number;
}

/**
 * Things that come and go all the time, in no order. A Set would have to be hashed anew again and again, and each
 * table that V8 abandons then keeps what was in it, and the table after it, until the next full collection of garbage.
 */
export class Crowd<T extends Member> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** All that are in it now. */
  get all(): readonly T[] {
    return [...this.#members];
  }

  /** To be called once for each, until it is deleted. */
  add(member: T): void {
    member.place = this.#members.push(member) - 1;
  }

  /** To be called once for each that was added. */
  delete(member: T): void {
    const last = this.#members.pop();
    if (!last || last === member) return;
    last.place = member.place;
    this.#members[member.place] = last;
  }
}
