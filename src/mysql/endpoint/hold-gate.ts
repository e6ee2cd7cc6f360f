import type { Cancel, Clock } from '../../core/clock.ts';

export interface HoldLimits {
  /** Clients held at once, at most. */
  readonly max: number;
}

/** What became of a wait: `go`: try again; `late`: the time is over; `full`: there are too many already. */
export type Held = 'go' | 'late' | 'full';

export interface HeldTotals {
  served: number;
  late: number;
  full: number;
  left: number;
}

interface Waiter {
  readonly settle: (held: Held) => void;
}

/** Released at once, and so often: 200 in a second, for a server that has just come up must not get all at once. */
const BATCH = 10;
const BATCH_MS = 50;

/** Clients that wait, silently, for a server to lead them to: MySQL's clients wait for the server's greeting anyway. */
export class HoldGate {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  limits: HoldLimits;
  #releasing: Cancel | undefined;

  constructor(clock: Clock, limits: HoldLimits) {
    this.#clock = clock;
    this.limits = limits;
  }

  /** Clients that are held now. */
  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Waits to be released; rejects with the signal's reason.
   * @param deadline clock ms
   * @param retryAfter tries again after so many ms even if nobody releases it
   */
  wait(deadline: number, retryAfter: number | undefined, signal: AbortSignal): Promise<Held> {
    const left = deadline - this.#clock.now();
    if (signal.aborted) return Promise.reject(signal.reason);
    if (left <= 0) return Promise.resolve('late');
    if (this.#waiters.size >= this.limits.max) return Promise.resolve('full');
    return new Promise((resolve, reject) => {
      const done = () => {
        cancel();
        signal.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        settle: (held) => {
          done();
          resolve(held);
        },
      };
      const onAbort = () => {
        done();
        reject(signal.reason);
      };
      const retries = retryAfter !== undefined && retryAfter < left;
      const cancel = this.#clock.after(retries ? retryAfter : left, () =>
        waiter.settle(retries ? 'go' : 'late'),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** There is a server again: lets all go, those that came first before others, a few at a time. */
  open(): void {
    if (!this.#releasing) this.#release();
  }

  /** There is none any more. */
  shut(): void {
    this.#releasing?.();
    this.#releasing = undefined;
  }

  #release(): void {
    for (const { settle } of [...this.#waiters].slice(0, BATCH)) settle('go');
    const more = this.#waiters.size > 0;
    this.#releasing = more ? this.#clock.after(BATCH_MS, () => this.#release()) : undefined;
  }
}
