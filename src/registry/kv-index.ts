import type { Cancel } from '../core/clock.ts';
import type { KvEffect, KvTable } from './kv-table.ts';
import type { KvEntry } from './model.ts';
import type { AtIndex, KvReader } from './reader.ts';
import { SortedMap } from './sorted-map.ts';

/** Deleted keys that are remembered one by one. */
const MOST_TOMBSTONES = 10_000;

/**
 * Consul's indexes of keys and prefixes. A key's is the one at which it was last written, and while there is no such
 * key that of the whole store. A prefix's is the latest of the keys under it and of those deleted there, and while
 * there is nothing of either that of the whole store.
 *
 * What was deleted is remembered by tombstones. Consul forgets them after a quarter of an hour, and then the index of
 * a prefix falls back; a client that was away meanwhile never hears of the deletion. Here all are forgotten at once
 * when there are too many, and from then on no prefix's index is below that moment's.
 */
export class KvIndex implements KvReader {
  readonly #table: KvTable;
  #index = 1;
  #floor = 1;
  /** Indexes of deletions, by key. */
  #tombstones = new SortedMap<number>();
  /** Lengths of the prefixes that someone watches, with how many do: a write need only look at these. */
  readonly #watchedLengths = new Map<number, number>();

  constructor(table: KvTable) {
    this.#table = table;
  }

  get bytes(): number {
    return this.#table.bytes;
  }

  entry(key: string): AtIndex<KvEntry | undefined> {
    return { index: this.indexOfKey(key), value: this.#table.get(key) };
  }

  under(prefix: string): AtIndex<readonly KvEntry[]> {
    const value = this.#table.under(prefix);
    return { index: this.#indexUnder(prefix, value), value };
  }

  heldBy(session: string): readonly string[] {
    return this.#table.heldBy(session);
  }

  indexOfKey(key: string): number {
    return this.#table.get(key)?.modifyIndex ?? this.#index;
  }

  indexUnder(prefix: string): number {
    return this.#indexUnder(prefix, this.#table.under(prefix));
  }

  /** Takes in what happened to a key, and adds the topics that it concerns. */
  reflect({ before, after }: KvEffect, index: number, touched: Set<string>): void {
    const key = (after ?? before)?.key ?? '';
    this.#index = index;
    if (after) this.#tombstones.delete(key);
    else this.#bury(key, index);
    touched.add(keyTopic(key));
    for (const length of this.#watchedLengths.keys()) {
      if (length <= key.length) touched.add(prefixTopic(key.slice(0, length)));
    }
  }

  /** Everything may have changed up to `floor`. */
  reset(floor: number): void {
    this.#index = floor;
    this.#floor = floor;
    this.#tombstones = new SortedMap();
  }

  /** Has {@link reflect} mind this prefix until cancelled. */
  mind({ length }: string): Cancel {
    this.#watchedLengths.set(length, (this.#watchedLengths.get(length) ?? 0) + 1);
    let minded = true;
    return () => {
      if (!minded) return;
      minded = false;
      const left = (this.#watchedLengths.get(length) ?? 1) - 1;
      if (left > 0) this.#watchedLengths.set(length, left);
      else this.#watchedLengths.delete(length);
    };
  }

  #indexUnder(prefix: string, entries: readonly KvEntry[]): number {
    if (prefix === '') return this.#index;
    let latest = 0;
    for (const { modifyIndex } of entries) latest = Math.max(latest, modifyIndex);
    for (const deleted of this.#tombstones.under(prefix)) latest = Math.max(latest, deleted);
    return latest === 0 ? this.#index : Math.max(latest, this.#floor);
  }

  #bury(key: string, index: number): void {
    this.#tombstones.set(key, index);
    if (this.#tombstones.size <= MOST_TOMBSTONES) return;
    this.#tombstones = new SortedMap();
    this.#floor = index;
  }
}

export function keyTopic(key: string): string {
  return `kv:${key}`;
}

export function prefixTopic(prefix: string): string {
  return `kv-tree:${prefix}`;
}
