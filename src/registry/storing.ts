import type { Cancel, Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { RegistryStore } from './store.ts';

/** Between two attempts of a store that has failed, ms. */
const RETRY_MS = 1000;

export interface StoringState {
  /** False from a failed attempt to store something on, until all that took effect is stored. */
  readonly works: boolean;
  /** Attempts that have failed so far. */
  readonly failures: number;
}

/**
 * Watches over what a store does with what it is given: says once that it fails and once that it works again, and
 * has it try until then, so that nobody need change anything for it to notice that the disk has room again.
 */
export class Storing implements StoringState {
  readonly #store: RegistryStore;
  readonly #clock: Clock;
  readonly #log: Log;
  #works = true;
  #cancel: Cancel | undefined;
  #stopped = false;

  constructor(options: { readonly store: RegistryStore; readonly clock: Clock; readonly log: Log }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  get works(): boolean {
    // A shared store can be away without anybody changing anything here.
    return this.#store.shared ? this.#store.trouble === undefined : this.#works;
  }

  get failures(): number {
    return this.#store.failures;
  }

  /** Settles as `commit` does, with a look at what it has told of the store. */
  after<T>(commit: Promise<T>): Promise<T> {
    return commit.finally(() => this.#look());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #look(): void {
    const { trouble, shared } = this.#store;
    // It says itself what becomes of changes meanwhile, and tries by itself.
    if (shared) return;
    if (trouble && this.#works) {
      this.#log.error(
        { error: trouble.message },
        'registry is not stored: check results count, but would be lost; registrations are refused',
      );
    }
    if (!trouble && !this.#works) this.#log.info({}, 'registry is stored again');
    this.#works = !trouble;
    if (trouble) this.#retry();
  }

  #retry(): void {
    if (this.#stopped) return;
    this.#cancel ??= this.#clock.after(RETRY_MS, () => {
      this.#cancel = undefined;
      void this.after(this.#store.settle());
    });
  }
}
