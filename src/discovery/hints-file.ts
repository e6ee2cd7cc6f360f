import { readFileSync, statSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { formatHints, type Hint, type HintedName, hintKey, parseHints } from './hints.ts';
import type { Endpoint } from './resolution.ts';

/** Changes come together: they are written this long after the first, ms. */
const WRITE_AFTER_MS = 1_000;
/** That an answer has been confirmed is written this often, ms. */
const REFRESH_MS = 600_000;
/** Ten times what the most hints there may be take. */
const LARGEST_BYTES = 64 * 1_024 * 1_024;

export interface HintsFileOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Keeps the last good answers for names in a file, for the start after this one. Losing it costs nothing but that: what
 * cannot be read or written is logged, and else of no consequence.
 */
export class HintsFile {
  readonly #options: HintsFileOptions;
  readonly #hints: Map<string, Hint>;
  #cancelTimer: Cancel | undefined;
  /** Clock ms at which the timer fires. */
  #due = Number.POSITIVE_INFINITY;
  /** What is under way; writes follow each other. */
  #writing: Promise<void> = Promise.resolve();
  #dirty = false;
  #failed = false;

  /** Reads the file, if there is one. */
  constructor(options: HintsFileOptions) {
    this.#options = options;
    this.#hints = this.#read();
  }

  /** What was last known of a name; undefined: nothing that is worth a try. */
  find(name: HintedName): Hint | undefined {
    return this.#hints.get(hintKey(name));
  }

  /** Takes a good answer, as it is in force. */
  note(name: HintedName, endpoints: readonly Endpoint[]): void {
    const key = hintKey(name);
    const before = this.#hints.get(key);
    if (endpoints.length === 0) {
      if (this.#hints.delete(key)) this.#writeWithin(WRITE_AFTER_MS);
      return;
    }
    this.#hints.set(key, { endpoints, at: this.#options.clock.wall() });
    this.#writeWithin(before?.endpoints === endpoints ? REFRESH_MS : WRITE_AFTER_MS);
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#dirty) this.#write();
    await this.#writing;
  }

  #read(): Map<string, Hint> {
    const { file, clock, log } = this.#options;
    try {
      const size = statSync(file, { throwIfNoEntry: false })?.size;
      if (size === undefined) return new Map();
      if (size > LARGEST_BYTES) throw new Error(`it has ${size} bytes`);
      return parseHints(readFileSync(file, 'utf8'), clock.wall());
    } catch (error) {
      log.warn(
        { file, error: messageOf(error) },
        'servers known from before cannot be read, and are not used',
      );
      return new Map();
    }
  }

  #writeWithin(ms: number): void {
    const { clock } = this.#options;
    this.#dirty = true;
    const due = clock.now() + ms;
    if (due >= this.#due) return;
    this.#cancelTimer?.();
    this.#due = due;
    this.#cancelTimer = clock.after(ms, () => this.#write());
  }

  #write(): void {
    this.#due = Number.POSITIVE_INFINITY;
    this.#dirty = false;
    this.#writing = this.#writing.then(() => this.#replace());
  }

  /** A reader finds the file from before or the whole new one. */
  async #replace(): Promise<void> {
    const { file, clock, log } = this.#options;
    try {
      const text = formatHints(this.#hints, clock.wall());
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      const draft = await open(`${file}.new`, 'w', 0o600);
      try {
        await draft.chmod(0o600);
        await draft.writeFile(text);
        await draft.sync();
      } finally {
        await draft.close();
      }
      await rename(`${file}.new`, file);
      this.#failed = false;
    } catch (error) {
      if (!this.#failed)
        log.warn({ file, error: messageOf(error) }, 'servers known now cannot be written down');
      this.#failed = true;
    }
  }
}
