import { readFileSync, statSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type SavedVip, savedVips } from './failover/saved-state.ts';

/** Far more than any number of VIPs takes. */
const LARGEST_BYTES = 4 * 1_024 * 1_024;

/**
 * What VIPs have to know after a restart, in one file. A file that cannot be read is told of and not used: then each
 * begins as if it had never run.
 */
export class VipsFile {
  readonly #file: string;
  readonly #log: Log;
  readonly #vips: Map<string, SavedVip>;
  #writing: Promise<void> | undefined;
  #isBehind = false;
  #failed = false;

  /** Reads it, if there is one. */
  constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
    this.#vips = this.#read();
  }

  find(vip: string): SavedVip | undefined {
    return this.#vips.get(vip);
  }

  /** Notes what a VIP is now. */
  note(vip: string, saved: SavedVip): void {
    if (isDeepStrictEqual(this.#vips.get(vip), saved)) return;
    this.#vips.set(vip, saved);
    this.#isBehind = true;
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was noted is written, or could not be. */
  async written(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #read(): Map<string, SavedVip> {
    try {
      const size = statSync(this.#file, { throwIfNoEntry: false })?.size;
      if (size === undefined) return new Map();
      if (size > LARGEST_BYTES) throw new Error(`it has ${size} bytes`);
      const { vips } = savedVips.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
      return new Map(Object.entries(vips));
    } catch (error) {
      const why = messageOf(error).replace(/\s+/g, ' ');
      this.#log.warn({ file: this.#file, error: why }, 'state of mysql-vips cannot be read, and is not used');
      return new Map();
    }
  }

  async #write(): Promise<void> {
    while (this.#isBehind) {
      this.#isBehind = false;
      try {
        await this.#replace();
        this.#failed = false;
      } catch (error) {
        const fields = { file: this.#file, error: messageOf(error) };
        if (!this.#failed) this.#log.warn(fields, 'state of mysql-vips cannot be written down');
        this.#failed = true;
      }
    }
    this.#writing = undefined;
  }

  /** A reader finds the file from before or the whole new one. */
  async #replace(): Promise<void> {
    const text = JSON.stringify({ version: 1, vips: Object.fromEntries(this.#vips) }, null, 2);
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    const draft = await open(`${this.#file}.new`, 'w', 0o600);
    try {
      await draft.writeFile(`${text}\n`);
      await draft.sync();
    } finally {
      await draft.close();
    }
    await rename(`${this.#file}.new`, this.#file);
  }
}
