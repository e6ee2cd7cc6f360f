import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import type { LineOutput } from './line-output.ts';

/** Bytes that may wait for the output before reading stops. Below its own limit: nothing relayed is ever dropped. */
const PENDING_LIMIT = 1024 * 1024;
/** How long one wait for the output may take before it is looked at again, ms. */
const WAIT_MS = 1_000;
/** No line is longer; one that is gets a line feed here. */
const LONGEST_LINE = 1024 * 1024;
const LINE_FEED = 10;

/**
 * Passes on the lines of other processes, whole ones only, so that they never mix with each other or with those of
 * this one. When the output is slow, reading stops, and it is for the other process to drop lines and to count them.
 */
export class LineRelay {
  readonly #output: LineOutput;
  readonly #clock: Clock;
  readonly #running = new Set<Promise<void>>();

  constructor(output: LineOutput, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  /** Passes on a stream until its end, which needs no line feed. */
  take(stream: Readable): void {
    // A stream that fails is one that has ended.
    const running = this.#pass(stream)
      .catch(() => undefined)
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when all streams have ended and the output has taken what came, or at the deadline (clock ms). */
  async flush(deadline: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(deadline - this.#clock.now(), resolve);
    await Promise.race([Promise.all(this.#running), late]);
    cancel();
    await this.#output.flush(deadline);
  }

  async #pass(stream: Readable): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of stream) {
      const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = bytes.lastIndexOf(LINE_FEED) + 1;
      if (end > 0) this.#output.write(bytes.subarray(0, end));
      rest = bytes.subarray(end);
      if (rest.length > LONGEST_LINE) rest = this.#finish(rest);
      while (this.#output.pending > PENDING_LIMIT) {
        await this.#output.flush(this.#clock.now() + WAIT_MS);
      }
    }
    if (rest.length > 0) this.#finish(rest);
  }

  #finish(line: Buffer): Buffer {
    this.#output.write(Buffer.concat([line, Buffer.of(LINE_FEED)]));
    return Buffer.alloc(0);
  }
}
