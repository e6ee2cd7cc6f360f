import type { StickTableConfig } from '../../config/runtime/stickiness.ts';
import type { StickFilter } from './table-question.ts';

/** What a client was given, and until when that holds. */
interface Entry {
  /** Name or address of the server. */
  server: string;
  /** Wall-clock ms of when it was given to the client: of what two planes say of one client, the later word counts. */
  since: number;
  /** Clock ms; infinite where entries do not expire. */
  until: number;
  /** Clock ms of when others were last told of it. */
  toldAt: number;
}

/** One entry as others are told of it. */
export interface StickEntry {
  readonly key: string;
  readonly server: string;
  readonly since: number;
  /** ms since it was last used, where a table is told as a whole; undefined: it is used just now. */
  readonly idle?: number;
}

/** Others are told that an entry is still in use this often, as a share of its time. */
const TELL_SHARE = 4;

/**
 * Who was given which server: bounded, the entry that was not used for longest goes first (HAProxy's `stick-table`).
 * All entries live equally long, so that they stand in the order in which they end; only those that were told of as a
 * whole table may end before the ones in front of them, and are then passed over until these have ended.
 */
export class StickTable {
  #config: StickTableConfig;
  readonly #entries = new Map<string, Entry>();
  /** Entries that had to go before their time, and new ones that found no room. */
  evicted = 0;

  constructor(config: StickTableConfig) {
    this.#config = config;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** ms that an entry lives without being used; 0: for ever. */
  get expire(): number {
    return this.#config.expire;
  }

  /** Clock ms at which the first entry ends; undefined: none does. */
  get nextEnd(): number | undefined {
    const [first] = this.#entries.values();
    return first && Number.isFinite(first.until) ? first.until : undefined;
  }

  /** Takes other limits; what is in it stays, unless it is of another type. */
  update(config: StickTableConfig): void {
    const { type, length, serverKey } = this.#config;
    const same = type === config.type && length === config.length && serverKey === config.serverKey;
    this.#config = config;
    if (!same) this.#entries.clear();
    while (this.#entries.size > config.size) this.#dropFirst();
  }

  /** The server of a client, which was just used. */
  find(key: string, now: number): string | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (entry.until <= now) {
      this.#entries.delete(key);
      return undefined;
    }
    this.#use(key, entry, now);
    return entry.server;
  }

  /**
   * Returns what others are to be told of it; undefined: nothing.
   * @param now clock ms
   * @param wall wall-clock ms
   */
  put(key: string, server: string, now: number, wall: number): StickEntry | undefined {
    const known = this.#entries.get(key);
    if (known) {
      const changed = known.server !== server;
      if (changed) Object.assign(known, { server, since: wall });
      this.#use(key, known, now);
      const { expire } = this.#config;
      const due = expire > 0 && now - known.toldAt >= expire / TELL_SHARE;
      if (!changed && !due) return undefined;
      known.toldAt = now;
      return { key, server, since: known.since };
    }
    return this.#add(key, server, now, wall) ? { key, server, since: wall } : undefined;
  }

  /** Takes what another plane says. What is only remembered there lives no longer for it, and takes no place of others. */
  learn({ key, server, since, idle }: StickEntry, now: number): void {
    const known = this.#entries.get(key);
    if (!known) {
      this.sweep(now);
      const hasRoom = this.#entries.size < this.#config.size;
      if (idle === undefined || (hasRoom && this.#end(now - idle) > now)) {
        this.#add(key, server, now, since, idle);
      }
      return;
    }
    // Both sides decide alike, so that they end up with the same.
    const later = since > known.since || (since === known.since && server < known.server);
    if (known.server !== server && later) Object.assign(known, { server, since });
    if (idle === undefined) this.#use(key, known, now);
  }

  /** False: there is no room. */
  #add(key: string, server: string, now: number, since: number, idle = 0): boolean {
    this.sweep(now);
    if (this.#entries.size >= this.#config.size) {
      this.evicted++;
      if (this.#config.nopurge) return false;
      this.#dropFirst();
    }
    this.#entries.set(key, { server, since, until: this.#end(now - idle), toldAt: now });
    return true;
  }

  /** Drops what has ended. Costs what it drops. */
  sweep(now: number): void {
    for (const [key, { until }] of this.#entries) {
      if (until > now) return;
      this.#entries.delete(key);
    }
  }

  /** Of those that are meant the ones used last, with ms until they end (infinite: never). */
  newest(
    count: number,
    now: number,
    which: StickFilter = {},
  ): readonly (StickEntry & { readonly expiresIn: number })[] {
    let skipped = -count;
    for (const _ of this.#meant(which)) skipped++;
    const found: (StickEntry & { readonly expiresIn: number })[] = [];
    let i = 0;
    for (const [key, { server, since, until }] of this.#meant(which)) {
      if (i++ >= skipped && until > now) found.push({ key, server, since, expiresIn: until - now });
    }
    return found.reverse();
  }

  /** Drops those that are meant. Returns how many they were. */
  clear(which: StickFilter): number {
    const before = this.#entries.size;
    for (const [key] of this.#meant(which)) this.#entries.delete(key);
    return before - this.#entries.size;
  }

  *#meant({ key, server }: StickFilter): Iterable<[string, Entry]> {
    const one = key === undefined ? undefined : this.#entries.get(key);
    const looked = key === undefined ? this.#entries : one ? [[key, one] as [string, Entry]] : [];
    for (const pair of looked) if (server === undefined || pair[1].server === server) yield pair;
  }

  #use(key: string, entry: Entry, now: number): void {
    entry.until = this.#end(now);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  #end(now: number): number {
    const { expire } = this.#config;
    return expire === 0 ? Number.POSITIVE_INFINITY : now + expire;
  }

  #dropFirst(): void {
    const [first] = this.#entries.keys();
    if (first !== undefined) this.#entries.delete(first);
  }
}
