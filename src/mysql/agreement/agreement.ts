import { type Cancel, type Clock, sleep } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Lead } from '../failover/vip-state.ts';
import { type Agreed, nextAgreed, type Opinion, parseAgreed } from './agreed.ts';
import type { SharedEntry, SharedKeys } from './shared-keys.ts';

export interface AgreementOptions {
  readonly keys: SharedKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly vip: string;
  /** The name of this node, for whoever looks at the keys. */
  readonly node: string;
  /** The servers with their configured roles, in one word. */
  readonly servers: string;
  /** What this one takes for true now. */
  readonly own: () => Opinion;
  /** Whether it knows enough of its servers to decide for others. */
  readonly isAble: () => boolean;
  readonly onAgreed: (agreed: Agreed) => void;
  readonly onLead: (lead: Lead) => void;
}

/** Consul's shortest; a holder that is gone is forgotten after once to twice as long. ms */
const TTL_MS = 10_000;
const LOCK_DELAY_MS = 5_000;
const ROUND_MS = 2_000;

/**
 * Agrees with all who share a registry on where a VIP leads, and on who its master is. Who holds the lock decides, and
 * writes it to a key, as it was found there and not otherwise: so no epoch is ever written twice, whoever takes himself
 * for the holder. One that cannot renew its session in time takes itself for none that holds the lock, and takes nobody
 * else for one.
 */
export class Agreement {
  readonly #options: AgreementOptions;
  readonly #lockKey: string;
  readonly #key: string;
  readonly #stop = new AbortController();
  readonly #unwatch: Cancel[] = [];
  #session: string | undefined;
  /** Clock ms at which what is shared was last known to be reached. */
  #reachedAt = 0;
  #cancelLate: Cancel = () => {};
  #lead: Lead | undefined;
  /** What was last told of: a store that was lost may count its indexes anew. */
  #told: SharedEntry | undefined;
  #wasAble = false;
  #running: Promise<void> | undefined;
  #claiming: Promise<void> | undefined;
  #isTroubled = false;
  /** What is decided may have changed since it was looked at to be written. */
  #isBehind = false;

  constructor(options: AgreementOptions) {
    this.#options = options;
    this.#lockKey = `mysql-vip/${options.vip}/lock`;
    this.#key = `mysql-vip/${options.vip}/agreed`;
  }

  start(): void {
    const { keys, clock } = this.#options;
    this.#reached(clock.now());
    for (const key of [this.#lockKey, this.#key]) this.#unwatch.push(keys.watch(key, () => this.#look()));
    this.#look();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    for (const unwatch of this.#unwatch) unwatch();
    this.#stop.abort(new Error('stopped'));
    await this.#running;
    this.#cancelLate();
    await this.written();
    if (this.#session === undefined) return;
    // Others need not wait for its time to be over.
    await this.#letGo(this.#session).catch((error) => this.#warn(error));
  }

  /** What it takes for true has changed. */
  changed(): void {
    const wasAble = this.#wasAble;
    this.#wasAble = this.#options.isAble();
    if (this.#lead === 'self') this.#claim();
    else if (!wasAble) this.#tryToAcquire();
  }

  /** Resolves when what is decided now stands there, or is known not to for the moment. */
  async written(): Promise<void> {
    while (this.#claiming) await this.#claiming;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#round();
        this.#isTroubled = false;
      } catch (error) {
        this.#warn(error);
      }
      this.#look();
      await sleep(clock, ROUND_MS, signal).catch(() => {});
    }
  }

  async #round(): Promise<void> {
    const { keys, clock, vip, isAble } = this.#options;
    const begun = clock.now();
    if (this.#session !== undefined && !(await keys.renewSession(this.#session))) this.#session = undefined;
    this.#session ??= await keys.createSession(`mysql-vip ${vip}`, TTL_MS, LOCK_DELAY_MS);
    this.#reached(begun);
    if (isAble()) await this.#acquire();
    // Others may know more.
    else if (this.#holder === this.#session) await keys.release(this.#lockKey, this.#name, this.#session);
  }

  /** Looks again when that is too long ago, whatever is still waited for by then. */
  #reached(at: number): void {
    const { clock } = this.#options;
    this.#reachedAt = at;
    this.#cancelLate();
    this.#cancelLate = clock.after(Math.max(0, at + TTL_MS - clock.now()), () => this.#look());
  }

  async #acquire(): Promise<void> {
    const { keys, isAble } = this.#options;
    const session = this.#session;
    if (session === undefined || this.#holder !== '' || this.#stop.signal.aborted || !isAble()) return;
    await keys.acquire(this.#lockKey, this.#name, session);
  }

  #tryToAcquire(): void {
    void this.#acquire().catch((error) => this.#warn(error));
  }

  async #letGo(session: string): Promise<void> {
    const { keys } = this.#options;
    if (this.#holder === session) await keys.release(this.#lockKey, this.#name, session);
    await keys.destroySession(session);
  }

  #look(): void {
    const { keys, servers, onAgreed, onLead } = this.#options;
    const lead = this.#leadNow();
    if (lead !== this.#lead) {
      this.#lead = lead;
      onLead(lead);
      if (lead === 'nobody') this.#tryToAcquire();
    }
    const entry = keys.entry(this.#key);
    if (entry && entry !== this.#told) {
      this.#told = entry;
      const agreed = parseAgreed(entry.value);
      if (agreed?.servers === servers) onAgreed(agreed);
    }
    if (lead === 'self') this.#claim();
  }

  #leadNow(): Lead {
    const holder = this.#holder;
    if (holder === '' || this.#options.clock.now() - this.#reachedAt >= TTL_MS) return 'nobody';
    return holder === this.#session ? 'self' : 'other';
  }

  /** Writes down what is decided, one after the other. */
  #claim(): void {
    this.#isBehind = true;
    this.#claiming ??= this.#write();
  }

  async #write(): Promise<void> {
    while (this.#isBehind && this.#lead === 'self' && !this.#stop.signal.aborted) {
      this.#isBehind = false;
      try {
        await this.#writeOnce();
      } catch (error) {
        // The next round tries again.
        this.#warn(error);
      }
    }
    this.#claiming = undefined;
  }

  async #writeOnce(): Promise<void> {
    const { keys, servers, node, own } = this.#options;
    const entry = keys.entry(this.#key);
    const next = nextAgreed(entry && parseAgreed(entry.value), own(), { servers, by: node });
    if (!next) return;
    // If somebody else has written meanwhile that is heard of, and looked at then.
    await keys.writeAt(this.#key, new TextEncoder().encode(JSON.stringify(next)), entry?.modifyIndex ?? 0);
  }

  get #holder(): string {
    return this.#options.keys.entry(this.#lockKey)?.session ?? '';
  }

  get #name(): Uint8Array {
    return new TextEncoder().encode(this.#options.node);
  }

  /** Told once, until there has been a good round again. */
  #warn(error: unknown): void {
    const { log, vip } = this.#options;
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    log.warn({ vip, error: messageOf(error) }, `mysql-vip ${vip} cannot agree with others on where it leads`);
  }
}
