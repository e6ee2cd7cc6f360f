import type { Writable } from 'node:stream';
import { type Clock, systemClock } from '../core/clock.ts';

export interface LineOutputOptions {
  readonly stream: Writable & { readonly isTTY?: boolean };
  readonly clock: Clock;
  /** Characters that may wait for the reader; text beyond them is dropped. */
  readonly limit: number;
}

/** Log lines waiting for a reader that has stalled: some ten thousand. */
const STDOUT_LIMIT = 8 * 1024 * 1024;

/** Where log lines go when nothing else is said. */
export function stdoutLines(): LineOutput {
  return new LineOutput({ stream: process.stdout, clock: systemClock, limit: STDOUT_LIMIT });
}

/**
 * The one way in which lines leave the process, so that lines of several writers never mix. Text goes to the
 * system at once where the system takes it. It never waits: a reader that stalls costs lines beyond the limit, a
 * reader that is gone costs them all; neither costs a request.
 */
export class LineOutput {
  readonly #stream: Writable;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #waiters = new Set<() => void>();
  #pending = 0;
  /** Lines are read by a person at a terminal. */
  readonly terminal: boolean;

  constructor({ stream, clock, limit }: LineOutputOptions) {
    this.#stream = stream;
    this.#clock = clock;
    this.#limit = limit;
    this.terminal = stream.isTTY === true;
    // Each write hears of its own failure. Standard output goes on after one: a full disk may have room again.
    stream.on('error', () => undefined);
  }

  /** Characters that the system has not taken yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Takes whole lines, each with its line feed, as text or UTF-8. `lost` is called if they will not arrive. */
  write(text: string | Uint8Array, lost: () => void = () => undefined): void {
    if (this.#pending + text.length > this.#limit) {
      lost();
      return;
    }
    this.#pending += text.length;
    this.#stream.write(text, (error) => {
      this.#pending -= text.length;
      if (error) lost();
      if (this.#pending === 0) for (const waiter of this.#waiters) waiter();
    });
  }

  /** Resolves when nothing is pending any more, or at the deadline (clock ms). */
  async flush(deadline: number): Promise<void> {
    if (this.#pending === 0) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        cancel();
        this.#waiters.delete(done);
        resolve();
      };
      const cancel = this.#clock.after(deadline - this.#clock.now(), done);
      this.#waiters.add(done);
    });
  }
}
