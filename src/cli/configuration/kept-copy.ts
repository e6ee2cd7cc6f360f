import { readFileSync, statSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, wholeFile } from '../../config/problem.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { LARGEST_CONFIGURATION } from './kv-value.ts';

/** The last configuration that was taken, in a file, for a start without the store that it comes from. */
export class KeptCopy {
  readonly file: string;
  /** Of another key nothing is read: the file may have been given to another process before. */
  readonly #heading: string;
  #written: string | undefined;

  constructor(file: string, key: string) {
    this.file = file;
    this.#heading = `# The last good configuration of ${JSON.stringify(key)}, kept by vane.\n`;
  }

  /** With its heading; undefined when there is none. Throws ConfigError when it cannot be used. */
  read(): string | undefined {
    try {
      const size = statSync(this.file, { throwIfNoEntry: false })?.size;
      if (size === undefined) return undefined;
      if (size > LARGEST_CONFIGURATION + this.#heading.length) throw new Error(`it has ${size} bytes`);
      const text = readFileSync(this.file, 'utf8');
      if (!text.startsWith(this.#heading)) throw new Error('it is not the configuration of this key');
      this.#written = text;
      return text;
    } catch (error) {
      throw new ConfigError([wholeFile(this.file, `cannot be used: ${messageOf(error)}`)]);
    }
  }

  /** Whoever reads it finds the one from before or the whole new one; nobody else may, for it can have secrets. */
  async write(configuration: string, log: Log): Promise<void> {
    const text = this.#heading + configuration;
    if (text === this.#written) return;
    try {
      await mkdir(dirname(this.file), { recursive: true, mode: 0o700 });
      const draft = await open(`${this.file}.new`, 'w', 0o600);
      try {
        await draft.writeFile(text);
        await draft.sync();
      } finally {
        await draft.close();
      }
      await rename(`${this.file}.new`, this.file);
      this.#written = text;
    } catch (error) {
      log.warn({ file: this.file, error: messageOf(error) }, 'the configuration cannot be kept on disk');
    }
  }
}
