/**
 * Keeps what was used of late: at least `limit` entries or `maxBytes`, at most twice as much. Two maps take turns, so
 * that nothing has to be moved for each use.
 */
export class RecentMap<T> {
  readonly #limit: number;
  readonly #maxBytes: number;
  #young = new Map<string, Sized<T>>();
  #old = new Map<string, Sized<T>>();
  #bytes = 0;

  constructor(limit: number, maxBytes: number) {
    this.#limit = limit;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): T | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young.value;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#put(key, old);
    return old.value;
  }

  /** @param bytes what the entry takes, roughly */
  set(key: string, value: T, bytes: number): void {
    this.#old.delete(key);
    const before = this.#young.get(key);
    if (before !== undefined) this.#bytes -= before.bytes;
    this.#put(key, { value, bytes });
  }

  #put(key: string, entry: Sized<T>): void {
    if (this.#young.size >= this.#limit || this.#bytes + entry.bytes > this.#maxBytes) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#bytes = 0;
    }
    this.#young.set(key, entry);
    this.#bytes += entry.bytes;
  }
}

interface Sized<T> {
  readonly value: T;
  readonly bytes: number;
}
