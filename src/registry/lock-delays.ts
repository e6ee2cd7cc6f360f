import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { LockDelay, SharedLockDelays } from './cluster/coordination.ts';
import type { CatalogReader } from './reader.ts';
import type { Effect } from './tables.ts';

export interface LockDelaysOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** What those who share the registry know; undefined: nobody does. */
  readonly shared?: SharedLockDelays | undefined;
}

/** Consul's `structs.MaxLockDelay`, ms. */
const LONGEST_MS = 60_000;
const MOST_KEYS = 100_000;

/**
 * Keys that nobody may lock for a while, because a session ended that held them: its owner may not know yet that
 * the lock is lost. Every process finds out for itself from the commits it hears, and tells those who share the registry,
 * so that one that has not heard all of late can ask. Of a registry of one process nothing is delayed after a restart, as
 * with a new leader of Consul.
 */
export class LockDelays {
  readonly #options: LockDelaysOptions;
  /** When each delay ends, in clock milliseconds. */
  readonly #ends = new Map<string, number>();
  /** Clock ms since when every commit has been heard here. */
  #hearsSince: number;

  constructor(options: LockDelaysOptions) {
    this.#options = options;
    this.#hearsSince = options.clock.now();
  }

  /** Takes in what a commit has done. */
  reflect(effects: readonly Effect[]): void {
    const delays = new Map<string, number>();
    const begun: LockDelay[] = [];
    for (const effect of effects) {
      if (effect.table === 'session' && effect.before) delays.set(effect.before.id, effect.before.lockDelay);
      if (effect.table !== 'kv' || !effect.before) continue;
      const { key, session } = effect.before;
      const delay = delays.get(session) ?? 0;
      if (delay > 0) begun.push({ key, ms: Math.min(delay, LONGEST_MS) });
    }
    for (const delay of begun) this.#delay(delay);
    this.#tell(begun);
  }

  /** Everything in the catalog is replaced, as nobody was heard for a while: locks of sessions that ended meanwhile. */
  replaced(catalog: Pick<CatalogReader, 'sessions' | 'kv'>, replace: () => void): void {
    const held = catalog.sessions
      .all()
      .value.map(({ id, lockDelay }) => ({ id, lockDelay, keys: catalog.kv.heldBy(id) }));
    replace();
    for (const { id, lockDelay, keys } of held) {
      if (lockDelay <= 0 || catalog.sessions.get(id).value) continue;
      for (const key of keys) this.#delay({ key, ms: Math.min(lockDelay, LONGEST_MS) });
    }
    const now = this.#options.clock.now();
    this.#hearsSince = now;
    // They may have been lost where all can see them.
    this.#tell([...this.#ends].flatMap(([key, end]) => (end > now ? [{ key, ms: end - now }] : [])));
  }

  /**
   * Finds out about keys whose sessions may have ended before this process heard of it. Rejects with STORE_FAILED when
   * nobody can be asked.
   */
  async learn(keys: readonly string[]): Promise<void> {
    const { clock, shared } = this.#options;
    if (!shared || keys.length === 0 || clock.now() - this.#hearsSince > LONGEST_MS) return;
    for (const delay of await shared.lockDelays(keys)) this.#delay(delay);
  }

  delays(key: string): boolean {
    return (this.#ends.get(key) ?? 0) > this.#options.clock.now();
  }

  #delay({ key, ms }: LockDelay): void {
    const now = this.#options.clock.now();
    const end = Math.max(now + ms, this.#ends.get(key) ?? 0);
    this.#ends.delete(key);
    this.#ends.set(key, end);
    for (const [oldest, end] of this.#ends) {
      if (end > now && this.#ends.size <= MOST_KEYS) break;
      this.#ends.delete(oldest);
    }
  }

  #tell(delays: readonly LockDelay[]): void {
    const { shared, log } = this.#options;
    if (!shared || delays.length === 0) return;
    shared.delayLocks(delays).catch((thrown: unknown) => {
      // All who have heard of it know it by themselves.
      log.debug({ error: messageOf(thrown) }, 'nodes that start now do not know of a lock-delay');
    });
  }
}
