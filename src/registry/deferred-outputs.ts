import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { fold } from './fold.ts';

export interface DeferredOutputsOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Consul's `check_update_interval`, ms. */
  readonly interval: number;
  /** Commits what is kept of these checks; rejects if it could not. */
  readonly commit: (ids: readonly string[]) => Promise<void>;
}

/** Rows of one commit. */
const MOST_AT_ONCE = 500;

/**
 * Outputs of checks whose status is what it was: kept here, and committed half to one and a half intervals later
 * together with all others there are then. The owner takes entries out again when they are committed or their
 * check goes, so there are never more than checks.
 */
export class DeferredOutputs {
  readonly #options: DeferredOutputsOptions;
  readonly #outputs = new Map<string, string>();
  #cancel: Cancel | undefined;
  #flushing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: DeferredOutputsOptions) {
    this.#options = options;
  }

  get(id: string): string | undefined {
    return this.#outputs.get(fold(id));
  }

  set(id: string, output: string): void {
    this.#outputs.set(fold(id), output);
    this.#schedule();
  }

  delete(id: string): void {
    this.#outputs.delete(fold(id));
  }

  /** Commits everything kept. A failure is logged and what it concerns stays kept. */
  flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
      if (this.#outputs.size > 0) this.#schedule();
    });
    return this.#flushing;
  }

  /** No further flush starts by itself. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    if (this.#stopped || this.#cancel || this.#flushing) return;
    const { clock, interval, random } = this.#options;
    this.#cancel = clock.after(interval * (0.5 + random()), () => {
      this.#cancel = undefined;
      void this.flush();
    });
  }

  async #flush(): Promise<void> {
    const ids = [...this.#outputs.keys()];
    for (let from = 0; from < ids.length; from += MOST_AT_ONCE) {
      try {
        await this.#options.commit(ids.slice(from, from + MOST_AT_ONCE));
      } catch (thrown) {
        const { log } = this.#options;
        log.warn({ checks: ids.length - from, error: messageOf(thrown) }, 'check outputs not stored');
        return;
      }
    }
  }
}
