/**
 * A map ordered by its keys (code units). A change costs a binary search and a shift; the list of values is made
 * once per change and is the same array until the next one.
 */
export class SortedMap<V> {
  readonly #keys: string[] = [];
  readonly #values: V[] = [];
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

  /** In key order; must not be changed. */
  values(): readonly V[] {
    this.#list ??= this.#values.slice();
    return this.#list;
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
