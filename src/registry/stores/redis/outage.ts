import type { Clock } from '../../../core/clock.ts';
import { VaneError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import { reasonOf } from './failures.ts';

/** Whether Redis answers, since when it does not, and what an operator is told of it. */
export class Outage {
  readonly #clock: Clock;
  readonly #log: Log;
  #trouble: VaneError | undefined;
  #failures = 0;
  /** Clock ms since when what is held may be out of date; undefined: it is not. */
  #behindSince: number | undefined;

  constructor(options: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Undefined while Redis answers. */
  get trouble(): VaneError | undefined {
    return this.#trouble;
  }

  /** Commands that have failed so far. */
  get failures(): number {
    return this.#failures;
  }

  /** ms since when commits of others may be missing here; 0: they are not. */
  get behindMs(): number {
    return this.#behindSince === undefined ? 0 : this.#clock.now() - this.#behindSince;
  }

  began(thrown: unknown): void {
    this.#failures += 1;
    const message = `Redis: ${reasonOf(thrown)}`;
    if (!this.#trouble) {
      this.#log.error(
        { error: message },
        'registry in Redis cannot be reached: traffic goes on with what is known, own services and checks are kept until it is back, other changes are refused',
      );
    }
    this.#trouble = new VaneError('STORE_FAILED', message, { cause: thrown });
    this.#behindSince ??= this.#clock.now();
  }

  /** All that was missed has been taken in. */
  ended(): void {
    const seconds = Math.round(this.behindMs / 1_000);
    if (this.#trouble)
      this.#log.info({ seconds }, 'registry in Redis is reached again, and nothing is missing');
    this.#trouble = undefined;
    this.#behindSince = undefined;
  }
}
