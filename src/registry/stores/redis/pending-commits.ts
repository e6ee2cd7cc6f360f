import { VaneError } from '../../../core/errors.ts';
import type { Expectation } from '../../expectations.ts';
import type { Cause, Change } from '../../model.ts';

/** A commit on its way to the log and back: its writer waits for it. */
export interface Pending {
  readonly uid: string;
  readonly changes: readonly Change[];
  readonly cause: Cause;
  readonly expects: readonly Expectation[];
  /** Undefined: it was not to be made any more. */
  readonly resolve: (index: number | undefined) => void;
  readonly reject: (error: VaneError) => void;
  /** `unknown`: there was no answer, and only the log tells whether it is in there. A number: its index there. */
  sent: 'not yet' | 'unknown' | number;
}

/** What became of a commit that is in the log. */
export interface Outcome {
  readonly index: number;
  /** It has changed nothing, as where something was not as it expected. */
  readonly isVain: boolean;
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

  /** Nobody knows of some whether they are in the log: it has to be read once more for them. */
  get someUnknown(): boolean {
    return [...this.#pending.values()].some(({ sent }) => sent === 'unknown');
  }

  /** Those that Redis has been asked to append, with an answer or without one. */
  sent(): ReadonlySet<Pending> {
    return new Set([...this.#pending.values()].filter(({ sent }) => sent !== 'not yet'));
  }

  /**
   * All of the log has been read since these were sent: what is not in there has not happened, or Redis has lost it.
   * `again` says whether it has been sent once more. Returns those that have been made, with their indexes.
   */
  settle(
    sent: ReadonlySet<Pending>,
    outcomeOf: (uid: string) => Outcome | undefined,
    again: (pending: Pending) => boolean,
  ): readonly { readonly pending: Pending; readonly index: number }[] {
    return [...this.#pending.values()].flatMap((pending) => {
      const { uid, resolve, reject } = pending;
      const outcome = outcomeOf(uid);
      if (outcome && !outcome.isVain) {
        this.#delete(uid);
        resolve(outcome.index);
        return [{ pending, index: outcome.index }];
      }
      if ((outcome || sent.has(pending)) && !again(pending)) {
        this.#delete(uid);
        reject(new VaneError('STORE_FAILED', 'Redis was away: nothing was changed'));
      }
      return [];
    });
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
