import type { KvEntry, Session, Unindexed } from './model.ts';
import { SortedMap } from './sorted-map.ts';

/** What a change really did to one key: `before` undefined: new; `after` undefined: gone. */
export interface KvEffect {
  readonly table: 'kv';
  readonly before: KvEntry | undefined;
  readonly after: KvEntry | undefined;
}

/** The keys, in the order of their bytes in UTF-8, and which session holds which. */
export class KvTable {
  /** By {@link bytewise}. */
  readonly #entries = new SortedMap<KvEntry>();
  /** Keys by the session that holds them. */
  readonly #held = new Map<string, Set<string>>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Of all keys and values together. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): KvEntry | undefined {
    return this.#entries.get(bytewise(key));
  }

  /** In key order. */
  under(prefix: string): readonly KvEntry[] {
    return this.#entries.under(bytewise(prefix));
  }

  /** In key order. */
  all(): readonly KvEntry[] {
    return this.#entries.values();
  }

  heldBy(session: string): readonly string[] {
    return [...(this.#held.get(session) ?? [])];
  }

  /** Does nothing to a key that is as it should be already. */
  put(row: Unindexed<KvEntry>, index: number): KvEffect[] {
    const before = this.get(row.key);
    if (before && sameEntry(before, row)) return [];
    const { key, value, flags, lockIndex, session } = row;
    const createIndex = before?.createIndex ?? index;
    const after = { key, value, flags, lockIndex, session, createIndex, modifyIndex: index };
    this.restore(after);
    return [{ table: 'kv', before, after }];
  }

  /** Puts a row that has its indexes. */
  restore(after: KvEntry): void {
    const before = this.get(after.key);
    if (before) this.#forget(before);
    this.#entries.set(bytewise(after.key), after);
    this.#bytes += bytesOf(after);
    if (after.session === '') return;
    const keys = this.#held.get(after.session) ?? new Set();
    keys.add(after.key);
    this.#held.set(after.session, keys);
  }

  delete(key: string): KvEffect[] {
    const before = this.#entries.delete(bytewise(key));
    return before ? [this.#gone(before)] : [];
  }

  deleteUnder(prefix: string): KvEffect[] {
    return this.#entries.deleteUnder(bytewise(prefix)).map((before) => this.#gone(before));
  }

  /** What becomes of the keys of a session that has ended. */
  abandon({ id, behavior }: Session, index: number): KvEffect[] {
    return this.heldBy(id).flatMap((key) => {
      const entry = this.get(key);
      if (!entry) return [];
      return behavior === 'delete' ? this.delete(key) : this.put({ ...entry, session: '' }, index);
    });
  }

  clear(): void {
    this.deleteUnder('');
  }

  #gone(before: KvEntry): KvEffect {
    this.#forget(before);
    return { table: 'kv', before, after: undefined };
  }

  #forget(entry: KvEntry): void {
    this.#bytes -= bytesOf(entry);
    const keys = this.#held.get(entry.session);
    keys?.delete(entry.key);
    if (keys?.size === 0) this.#held.delete(entry.session);
  }
}

/** A text whose characters are the bytes of the key, so that texts compare as Consul's keys do. */
function bytewise(key: string): string {
  return /[^\0-\x7f]/.test(key) ? Buffer.from(key).toString('latin1') : key;
}

/** What a key takes of the room there is: it and its value. */
export function bytesOf({ key, value }: { readonly key: string; readonly value: Uint8Array }): number {
  return Buffer.byteLength(key) + value.byteLength;
}

/** True when a put of `row` over `stored` would change nothing. */
export function sameEntry(stored: KvEntry, row: Unindexed<KvEntry>): boolean {
  return (
    stored.flags === row.flags &&
    stored.lockIndex === row.lockIndex &&
    stored.session === row.session &&
    Buffer.compare(stored.value, row.value) === 0
  );
}
