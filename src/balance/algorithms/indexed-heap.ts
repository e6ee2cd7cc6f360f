/** Something kept in a heap: the heap writes its place into it, so that it is found again at no cost. */
export interface Heaped {
  /** Where it stands in the heap that holds it; only that heap changes it. -1: in none. */
  at: number;
}

/**
 * A binary heap whose members may change their order or leave at any time, each in O(log n). A member is in one
 * heap at most.
 */
export class IndexedHeap<T extends Heaped> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #members: T[] = [];

  /** @param before whether `a` comes before `b` */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get first(): T | undefined {
    return this.#members[0];
  }

  add(member: T): void {
    member.at = this.#members.push(member) - 1;
    this.#rise(member);
  }

  remove(member: T): void {
    const { at } = member;
    member.at = -1;
    const last = this.#members.pop();
    if (last === undefined || last === member) return;
    this.#put(last, at);
    this.moved(last);
  }

  /** To be told after the order of a member has changed. */
  moved(member: T): void {
    this.#rise(member);
    this.#sink(member);
  }

  /**
   * The first one that `accept` allows, in order; those before it are asked only once. Costs O(k log n) for k
   * members refused.
   */
  find(accept: (member: T) => boolean): T | undefined {
    const { first } = this;
    if (first === undefined || accept(first)) return first;
    const refused: T[] = [];
    let found: T | undefined = first;
    while (found && !accept(found)) {
      refused.push(found);
      this.remove(found);
      found = this.first;
    }
    for (const member of refused) this.add(member);
    return found;
  }

  #rise(member: T): void {
    let { at } = member;
    while (at > 0) {
      const above = this.#members[(at - 1) >> 1];
      if (above === undefined || !this.#before(member, above)) break;
      this.#put(above, at);
      at = (at - 1) >> 1;
    }
    this.#put(member, at);
  }

  #sink(member: T): void {
    let { at } = member;
    for (;;) {
      const left = this.#members[2 * at + 1];
      const right = this.#members[2 * at + 2];
      if (left === undefined) break;
      const side = right !== undefined && this.#before(right, left) ? right : left;
      if (!this.#before(side, member)) break;
      const { at: below } = side;
      this.#put(side, at);
      at = below;
    }
    this.#put(member, at);
  }

  #put(member: T, at: number): void {
    this.#members[at] = member;
    member.at = at;
  }
}
