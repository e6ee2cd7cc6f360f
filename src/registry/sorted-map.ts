/**
 * A map ordered by its keys (code units). A change costs a binary search and a shift; the list of values is made
 * once per change and is the same array until the next one.
 */
export class SortedMap<V> {
  #keys: string[] = [];
  #values: V[] = [];
  #list: readonly V[] | undefined;

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): V | undefined {
    const at = this.#position(key);
    return this.#keys[at] === key ? this.#values[at] : undefined;
  }

  set(key: string, value: V): void {
    const at = this.#position(key);
    if (this.#keys[at] === key) {
      this.#values[at] = value;
    } else if (this.#keys.length === 0) {
      // Very many maps hold one thing only, and an array that grows takes room for sixteen more.
      this.#keys = [key];
      this.#values = [value];
    } else {
      this.#keys.splice(at, 0, key);
      this.#values.splice(at, 0, value);
    }
    this.#list = undefined;
  }

  /** Returns what was there. */
  delete(key: string): V | undefined {
    const at = this.#position(key);
    if (this.#keys[at] !== key) return undefined;
    this.#keys.splice(at, 1);
    const [value] = this.#values.splice(at, 1);
    this.#list = undefined;
    return value;
  }

  /** The values whose keys begin with `prefix`, in key order. */
  under(prefix: string): V[] {
    const from = this.#position(prefix);
    return this.#values.slice(from, this.#pastPrefix(from, prefix));
  }

  /** Takes out all whose keys begin with `prefix`, and returns their values in key order. */
  deleteUnder(prefix: string): V[] {
    const from = this.#position(prefix);
    const count = this.#pastPrefix(from, prefix) - from;
    if (count === 0) return [];
    this.#keys.splice(from, count);
    this.#list = undefined;
    return this.#values.splice(from, count);
  }

  /** In key order; must not be changed. */
  values(): readonly V[] {
    this.#list ??= this.#values.slice();
    return this.#list;
  }

  #pastPrefix(from: number, prefix: string): number {
    let at = from;
    while (this.#keys[at]?.startsWith(prefix)) at++;
    return at;
  }

  /** Where `key` is or would be. Looks at the end first: loading rows in order appends. */
  #position(key: string): number {
    const keys = this.#keys;
    let low = 0;
    let high = keys.length;
    const last = keys[high - 1];
    if (last === undefined || last < key) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = keys[middle];
      if (at !== undefined && at < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
