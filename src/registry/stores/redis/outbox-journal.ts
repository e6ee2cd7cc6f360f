import { readFileSync } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import { decodeCommit, encodeCommit } from './commit-text.ts';
import type { Unsent } from './outbox.ts';

/**
 * The outbox on disk: a line of JSON for each commit, in order, so that a node that ends while Redis is away still has
 * them. Without a disk to write to it says so, and goes on.
 */
export class OutboxJournal {
  readonly #file: string;
  readonly #log: Log;
  #handle: FileHandle | undefined;
  /** What is done with the file, one after the other. */
  #last: Promise<void> = Promise.resolve();
  #lines: string[] = [];
  #isEmpty = true;
  #works = true;
  /** Its last line has no end. */
  #isCut = false;

  constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
  }

  /** What an earlier process has left. A line that was not written to its end is passed over. */
  read(): readonly Unsent[] {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      this.#failed(error);
      return [];
    }
    this.#isEmpty = text === '';
    this.#isCut = text !== '' && !text.endsWith('\n');
    const lines = text.split('\n').filter(Boolean);
    const all = lines.flatMap(unsentOf);
    if (all.length < lines.length) {
      const fields = { file: this.#file, kept: all.length, lost: lines.length - all.length };
      this.#log.error(fields, 'outbox was damaged: some of what was registered here is lost');
    }
    return all;
  }

  /** Whether nothing is in it, so that what comes first is still to be said. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** Resolves once it is on the disk, or it is known that it will not be. */
  append(unsent: Unsent): Promise<void> {
    this.#isEmpty = false;
    const { uid, changes, cause } = unsent;
    this.#lines.push(`${JSON.stringify({ uid, commit: encodeCommit({ changes, cause, expects: [] }) })}\n`);
    // Those that come while the disk is busy are written together.
    if (this.#lines.length === 1) this.#then(() => this.#flush());
    return this.#last;
  }

  /** All of it has been sent. */
  clear(): void {
    if (this.#isEmpty) return;
    this.#isEmpty = true;
    this.#then(async () => {
      const handle = await this.#opened();
      await handle.truncate(0);
      await handle.datasync();
    });
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #then(work: () => Promise<void>): void {
    this.#last = this.#last.then(work).catch((error: unknown) => this.#failed(error));
  }

  async #flush(): Promise<void> {
    const text = `${this.#isCut ? '\n' : ''}${this.#lines.splice(0).join('')}`;
    this.#isCut = false;
    const handle = await this.#opened();
    await handle.appendFile(text);
    await handle.datasync();
    this.#works = true;
  }

  async #opened(): Promise<FileHandle> {
    if (!this.#handle) {
      await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
      this.#handle = await open(this.#file, 'a', 0o600);
    }
    return this.#handle;
  }

  #failed(error: unknown): void {
    const fields = { file: this.#file, error: messageOf(error) };
    if (this.#works) this.#log.error(fields, 'outbox is not stored: it would be lost with this process');
    this.#works = false;
  }
}

function unsentOf(line: string): readonly Unsent[] {
  try {
    const { uid, commit }: Partial<Record<string, unknown>> = { ...JSON.parse(line) };
    const { changes, cause } = decodeCommit(0, String(commit));
    return [{ uid: String(uid), changes, cause }];
  } catch {
    // Counted by the reader.
    return [];
  }
}
