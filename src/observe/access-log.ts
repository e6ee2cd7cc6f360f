import type { AccessEntry } from '../proxy/access-entry.ts';
import { haproxyLine } from './haproxy-log-format.ts';
import { jsonLine } from './json-log-format.ts';
import type { LineOutput } from './line-output.ts';

/** Characters of lines that may wait for a slow reader. Below the output's own limit: the process's log goes first. */
const PENDING_LIMIT = 1024 * 1024;
/** Characters handed over together. */
const BATCH = 16 * 1024;

/**
 * Writes one line for each request or connection, those of one turn of the event loop together. When the reader
 * cannot keep up, lines are dropped and counted; nothing ever waits for it.
 */
export class AccessLog {
  readonly #output: LineOutput;
  #batch = '';
  #lines = 0;
  #scheduled = false;
  #dropped = 0;

  constructor(output: LineOutput) {
    this.#output = output;
  }

  /** Lines lost since start. */
  get dropped(): number {
    return this.#dropped;
  }

  write(entry: AccessEntry): void {
    // Before it is formatted: the system is short of time already.
    if (this.#output.pending + this.#batch.length >= PENDING_LIMIT) {
      this.#dropped++;
      return;
    }
    this.#batch += `${entry.format === 'json' ? jsonLine(entry) : haproxyLine(entry)}\n`;
    this.#lines++;
    if (this.#batch.length >= BATCH) this.#send();
    else this.#schedule();
  }

  /** Hands over what is left; resolves when the system has taken it, or at the deadline (clock ms). */
  async flush(deadline: number): Promise<void> {
    this.#send();
    await this.#output.flush(deadline);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#lines === 0) return;
    const lines = this.#lines;
    this.#output.write(this.#batch, () => {
      this.#dropped += lines;
    });
    this.#batch = '';
    this.#lines = 0;
  }
}
