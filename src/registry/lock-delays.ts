import type { Clock } from '../core/clock.ts';
import type { CatalogReader } from './reader.ts';
import type { Effect } from './tables.ts';

/** Consul's `structs.MaxLockDelay`, ms. */
const LONGEST_MS = 60_000;
const MOST_KEYS = 100_000;

/**
 * Keys that nobody may lock for a while, because a session ended that held them: its owner may not know yet that
 * the lock is lost. Kept in this process alone: after a restart nothing is delayed, as with a new leader of Consul.
 */
export class LockDelays {
  readonly #clock: Clock;
  /** When each delay ends, in clock milliseconds. */
  readonly #ends = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes in what a commit has done. */
  reflect(effects: readonly Effect[]): void {
    const delays = new Map<string, number>();
    for (const effect of effects) {
      if (effect.table === 'session' && effect.before) delays.set(effect.before.id, effect.before.lockDelay);
      if (effect.table === 'kv' && effect.before) {
        const delay = delays.get(effect.before.session) ?? 0;
        if (delay > 0) this.#delay(effect.before.key, Math.min(delay, LONGEST_MS));
      }
    }
  }

  /** Everything in the catalog is replaced, as nobody was heard for a while: locks of sessions that ended meanwhile. */
  replaced(catalog: Pick<CatalogReader, 'sessions' | 'kv'>, replace: () => void): void {
    const held = catalog.sessions
      .all()
      .value.map(({ id, lockDelay }) => ({ id, lockDelay, keys: catalog.kv.heldBy(id) }));
    replace();
    for (const { id, lockDelay, keys } of held) {
      if (lockDelay <= 0 || catalog.sessions.get(id).value) continue;
      for (const key of keys) this.#delay(key, Math.min(lockDelay, LONGEST_MS));
    }
  }

  delays(key: string): boolean {
    return (this.#ends.get(key) ?? 0) > this.#clock.now();
  }

  #delay(key: string, ms: number): void {
    const now = this.#clock.now();
    this.#ends.delete(key);
    this.#ends.set(key, now + ms);
    for (const [oldest, end] of this.#ends) {
      if (end > now && this.#ends.size <= MOST_KEYS) break;
      this.#ends.delete(oldest);
    }
  }
}
