import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { timeOf } from './cluster/plans.ts';
import type { Session } from './model.ts';
import type { Effect } from './tables.ts';

export interface SessionExpiryOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Ends a session, unless `due` says meanwhile that it has been renewed; rejects if it could not. */
  readonly end: (id: string, due: () => boolean) => Promise<void>;
}

/** After an attempt that failed, ms. */
const RETRY_MS = 5000;

/**
 * Ends sessions that are not renewed within twice their TTL. A restart counts as a renewal, as does a change of leader
 * in Consul: nobody could renew meanwhile.
 */
export class SessionExpiry {
  readonly #options: SessionExpiryOptions;
  readonly #timers = new Map<string, Cancel>();
  #stopped = false;

  constructor(options: SessionExpiryOptions) {
    this.#options = options;
  }

  /** Takes in what a commit has done. */
  reflect(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.table !== 'session') continue;
      if (effect.after) this.renew(effect.after);
      else if (effect.before) this.#disarm(effect.before.id);
    }
  }

  /** Its time starts anew. */
  renew(session: Session): void {
    if (session.ttlMs > 0) this.#arm(session.id, timeOf(session).ms);
  }

  /** Nothing expires any more. */
  stop(): void {
    this.#stopped = true;
    for (const id of [...this.#timers.keys()]) this.#disarm(id);
  }

  #arm(id: string, ms: number): void {
    this.#disarm(id);
    if (this.#stopped) return;
    const cancel = this.#options.clock.after(ms, () => {
      this.#timers.delete(id);
      void this.#expire(id);
    });
    this.#timers.set(id, cancel);
  }

  #disarm(id: string): void {
    this.#timers.get(id)?.();
    this.#timers.delete(id);
  }

  async #expire(id: string): Promise<void> {
    const due = () => !this.#timers.has(id);
    try {
      await this.#options.end(id, due);
    } catch (thrown) {
      this.#options.log.warn({ session: id, error: messageOf(thrown) }, 'expired session not ended yet');
      if (due()) this.#arm(id, RETRY_MS);
    }
  }
}
