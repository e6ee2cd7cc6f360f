import type { Cancel, Clock } from '../../core/clock.ts';
import type { StickEntry, StickTable } from './stick-table.ts';

/** How long entries are gathered before they are told, ms. */
const GATHER_MS = 20;
/** Entries of one backend told at once; what comes above that is told when it is used again. */
const MOST_ENTRIES = 1_000;
/** Of a whole table, those used last. */
const MOST_TAUGHT = 20_000;

/** Gathers what other planes are to know of tables, so that no request waits for the telling. */
export class StickNews {
  readonly #clock: Clock;
  readonly #post: (backend: string, entries: readonly StickEntry[]) => void;
  readonly #waiting = new Map<string, Map<string, StickEntry>>();
  #cancel: Cancel | undefined;

  constructor(clock: Clock, post: (backend: string, entries: readonly StickEntry[]) => void) {
    this.#clock = clock;
    this.#post = post;
  }

  add(backend: string, entry: StickEntry): void {
    const entries = this.#waiting.get(backend) ?? new Map<string, StickEntry>();
    this.#waiting.set(backend, entries);
    if (entries.size < MOST_ENTRIES || entries.has(entry.key)) entries.set(entry.key, entry);
    this.#cancel ??= this.#clock.after(GATHER_MS, () => this.#tell());
  }

  /** Keeps to itself what has not been told yet of a table: somebody has cleared it. */
  forget(backend: string): void {
    this.#waiting.delete(backend);
  }

  /** Tells what is in a table, those used last at the end: in that order they are remembered. */
  teach(backend: string, table: StickTable | undefined): void {
    const expire = table?.expire ?? 0;
    const entries = (table?.newest(MOST_TAUGHT, this.#clock.now()) ?? [])
      .map(({ key, server, since, expiresIn }) => {
        return { key, server, since, idle: expire === 0 ? 0 : expire - expiresIn };
      })
      .reverse();
    for (let i = 0; i < entries.length; i += MOST_ENTRIES) {
      this.#post(backend, entries.slice(i, i + MOST_ENTRIES));
    }
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#waiting.clear();
  }

  #tell(): void {
    this.#cancel = undefined;
    for (const [backend, entries] of this.#waiting) {
      this.#post(backend, [...entries.values()]);
    }
    this.#waiting.clear();
  }
}
