import type { Cancel, Clock } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { asVaneError, messageOf, type VaneError } from '../../core/errors.ts';
import { type FollowState, longestAnswer, NOT_FOLLOWED, step } from './follow-state.ts';
import { AskFailure, type ConsulAnswer, type ConsulHttpApi } from './http-api.ts';

export interface FollowedOptions<Facts> {
  readonly api: Pick<ConsulHttpApi, 'get' | 'leave' | 'places'>;
  readonly path: string;
  /** False: it is asked again and again, whatever its answers say of an index. */
  readonly canWait: boolean;
  /** Throws for what is not to be believed: an {@link AskFailure}, or anything where it is no answer of Consul. */
  readonly read: (answer: ConsulAnswer) => Facts;
  /** ms that a query waits for a change, as long as there is none. */
  readonly wait: () => number;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

/** The last good answer. The same object until something is said anew. */
export interface Answered<Facts> {
  readonly facts: Facts;
  readonly knownLeader: boolean;
  readonly url: string;
}

/** Beyond what a query may wait, for the answer to come through. */
const MARGIN_MS = 10_000;

/**
 * Follows one question by blocking queries, one after the other, until it is stopped. What is known stays through any
 * number of failures, and whoever listens is told of both.
 */
export class Followed<Facts> {
  readonly #options: FollowedOptions<Facts>;
  readonly #news = new Emitter<void>();
  readonly #stopping = new AbortController();
  #state: FollowState = NOT_FOLLOWED;
  #cancelPause: Cancel = () => {};
  #answered: Answered<Facts> | undefined;
  #answeredAt = 0;
  #error: VaneError | undefined;
  #failingSince: number | undefined;
  #failures = 0;

  constructor(options: FollowedOptions<Facts>) {
    this.#options = options;
    void this.#ask();
  }

  get answered(): Answered<Facts> | undefined {
    return this.#answered;
  }

  /** Clock ms at which the last good answer was there, or confirmed. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** Why it cannot be asked; undefined while it can be, and until all addresses have had their turn. */
  get error(): VaneError | undefined {
    return this.#error;
  }

  /** Clock ms of the first of the unbroken row of failures. */
  get failingSince(): number | undefined {
    return this.#failingSince;
  }

  /** What is waited to be exceeded; 0: nothing. */
  get index(): number {
    return this.#state.index;
  }

  /** Queries that failed, in all. */
  get failures(): number {
    return this.#failures;
  }

  /** Calls `fn` when there is something new: an answer, a failure after none, the end of failures. */
  listen(fn: () => void): Cancel {
    return this.#news.on(fn);
  }

  stop(): void {
    this.#cancelPause();
    this.#stopping.abort();
  }

  async #ask(): Promise<void> {
    const { api, path, canWait, clock, random } = this.#options;
    const { signal } = this.#stopping;
    const { index } = this.#state;
    const wait = index > 0 ? this.#options.wait() : 0;
    const began = clock.now();
    let pause: number;
    try {
      const blocking = index > 0 ? `${path.includes('?') ? '&' : '?'}index=${index}&wait=${wait}ms` : '';
      const answer = await api.get(path + blocking, longestAnswer(wait, MARGIN_MS), signal);
      const said = canWait ? answer.index : undefined;
      const outcome = { kind: 'answer', index: said, took: clock.now() - began, wait } as const;
      const next = step(this.#state, outcome, api.places, random());
      const known = this.#answered;
      const isKnown = !next.news && known?.knownLeader === answer.knownLeader;
      if (!isKnown) {
        const { knownLeader, url } = answer;
        this.#answered = { facts: this.#read(answer), knownLeader, url };
      }
      this.#state = next.state;
      pause = next.pause;
      this.#answeredAt = clock.now();
      const recovered = this.#error !== undefined;
      this.#error = undefined;
      this.#failingSince = undefined;
      if (!isKnown || recovered) this.#news.emit();
    } catch (thrown) {
      if (signal.aborted) return;
      pause = this.#fail(asVaneError(thrown, 'RESOLVE_FAILED'));
    }
    if (!signal.aborted) this.#cancelPause = clock.after(pause, () => void this.#ask());
  }

  /** Returns how long to wait, ms. */
  #fail(error: VaneError): number {
    const { api, clock, random } = this.#options;
    this.#failures++;
    this.#failingSince ??= clock.now();
    const busy = error instanceof AskFailure && error.busy;
    const next = step(this.#state, { kind: 'failure', busy }, api.places, random());
    this.#state = next.state;
    if (next.state.failures >= api.places) {
      const first = this.#error === undefined;
      this.#error = error;
      if (first) this.#news.emit();
    }
    return next.pause;
  }

  /** Who gives an answer that cannot be read is left for the next. */
  #read(answer: ConsulAnswer): Facts {
    const { api, read } = this.#options;
    try {
      return read(answer);
    } catch (error) {
      api.leave(answer.url);
      if (error instanceof AskFailure) throw error;
      const [line = ''] = messageOf(error).split('\n', 1);
      const message = `${answer.url} answers with what is not Consul's: ${line.slice(0, 200)}`;
      throw new AskFailure('RESOLVE_FAILED', message, { busy: true, cause: error });
    }
  }
}
