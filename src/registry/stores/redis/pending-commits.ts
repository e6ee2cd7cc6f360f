import { VaneError } from '../../../core/errors.ts';
import type { Expectation } from '../../expectations.ts';
import type { Cause, Change } from '../../model.ts';

/** A commit on its way to the log and back: its writer waits for it. */
export interface Pending {
  readonly uid: string;
  readonly changes: readonly Change[];
  readonly cause: Cause;
  readonly expects: readonly Expectation[];
  readonly resolve: (index: number) => void;
  readonly reject: (error: VaneError) => void;
  /** `unknown`: there was no answer, and only the log tells whether it is in there. A number: its index there. */
  sent: 'not yet' | 'unknown' | number;
}

const MOST_PENDING = 10_000;

/** The commits of this node that are on their way. */
export class PendingCommits {
  readonly #pending = new Map<string, Pending>();
  readonly #onEmpty: (() => void)[] = [];

  get isFull(): boolean {
    return this.#pending.size >= MOST_PENDING;
  }

  add(pending: Pending): void {
    this.#pending.set(pending.uid, pending);
  }

  /** It is over, one way or another. */
  take(uid: string): Pending | undefined {
    const pending = this.#pending.get(uid);
    this.#delete(uid);
    return pending;
  }

  /** Resolves once none is on its way. */
  empty(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** The log has been read up to an index: what should be in there and is not has not happened. */
  settle(upTo: number, has: (uid: string) => boolean = () => false): void {
    for (const { uid, sent, resolve, reject } of this.#pending.values()) {
      const isIn = has(uid);
      if (!isIn && (sent === 'not yet' || (sent !== 'unknown' && sent > upTo))) continue;
      this.#delete(uid);
      if (isIn) resolve(upTo);
      else reject(new VaneError('STORE_FAILED', 'Redis was away: nothing was changed'));
    }
  }

  rejectAll(error: VaneError): void {
    for (const { uid, reject } of this.#pending.values()) {
      this.#delete(uid);
      reject(error);
    }
  }

  #delete(uid: string): void {
    this.#pending.delete(uid);
    if (this.#pending.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}
