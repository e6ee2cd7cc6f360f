import { z } from 'zod';
import { type Cancel, type Clock, sleep } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { KeyValues } from '../registry/key-values.ts';
import type { CatalogReader } from '../registry/reader.ts';
import type { Sessions } from '../registry/sessions.ts';

/** What of a registry is needed to agree with others that share it. */
export interface SharedRegistry {
  readonly catalog: CatalogReader;
  readonly kv: Pick<KeyValues, 'write'>;
  readonly sessions: Pick<Sessions, 'create' | 'destroy' | 'renew'>;
}

/** Who the master is, as it stands in the registry. */
const agreed = z.object({
  version: z.literal(1),
  /** The servers and their roles as they are configured: who is configured otherwise has nothing to do with it. */
  servers: z.string(),
  master: z.string(),
  /** The master of before, until it is a slave. */
  demoted: z.string().optional(),
  /** When that one was promoted, wall clock ms; 0: none has been. */
  promotedAt: z.number(),
});

export type Agreed = Omit<z.infer<typeof agreed>, 'version' | 'servers'>;

export interface AgreementOptions {
  readonly registry: SharedRegistry;
  readonly clock: Clock;
  readonly log: Log;
  readonly vip: string;
  /** The servers with their configured roles, in one word. */
  readonly servers: string;
  /** What this one takes for true now. */
  readonly own: () => Agreed;
  readonly onTold: (told: Agreed) => void;
  readonly onLock: (isHeld: boolean) => void;
}

/** Consul's shortest; a holder that is gone is forgotten after once to twice as long. ms */
const TTL_MS = 10_000;
const LOCK_DELAY_MS = 5_000;
const ROUND_MS = 2_000;

/**
 * Agrees with all who share the registry on who the master is: only the one that holds the lock on the key of the VIP
 * may change that, and writes it there; the others read it. One that cannot renew its session in time takes itself for
 * none that holds the lock.
 */
export class Agreement {
  readonly #options: AgreementOptions;
  readonly #key: string;
  readonly #stop = new AbortController();
  #session: string | undefined;
  /** Clock ms at which the session was last known to be. */
  #renewedAt = 0;
  #isHeld = false;
  #written = '';
  #running: Promise<void> | undefined;
  #unwatch: Cancel = () => {};

  constructor(options: AgreementOptions) {
    this.#options = options;
    this.#key = `mysql-vip/${options.vip}/master`;
  }

  start(): void {
    const { catalog } = this.#options.registry;
    this.#unwatch = catalog.watch({ kind: 'kv', key: this.#key }, () => this.#look());
    this.#look();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#unwatch();
    this.#stop.abort(new Error('stopped'));
    await this.#running;
    if (this.#session === undefined) return;
    // Others need not wait for its time to be over.
    await this.#options.registry.sessions.destroy(this.#session, this.#cause).catch((error) => {
      this.#warn(error);
    });
  }

  /** What it takes for true has changed. */
  changed(): void {
    if (this.#isHeld) void this.#write().catch((error) => this.#warn(error));
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        this.#warn(error);
      }
      this.#look();
      await sleep(clock, ROUND_MS, signal).catch(() => {});
    }
  }

  async #round(): Promise<void> {
    const { registry, clock, vip } = this.#options;
    const begun = clock.now();
    if (this.#session !== undefined && !(await registry.sessions.renew(this.#session)))
      this.#session = undefined;
    this.#session ??= await registry.sessions.create(
      {
        name: `mysql-vip ${vip}`,
        node: registry.catalog.self,
        lockDelay: LOCK_DELAY_MS,
        behavior: 'release',
        ttl: `${TTL_MS / 1000}s`,
        ttlMs: TTL_MS,
        checks: [],
        nodeChecks: [],
        serviceChecks: null,
      },
      this.#cause,
    );
    this.#renewedAt = begun;
    const holder = registry.catalog.kv.entry(this.#key).value?.session ?? '';
    if (holder === '') await this.#write();
  }

  /** Takes or keeps the lock with what is true: what another has written there has been taken in before. */
  async #write(): Promise<void> {
    const { registry, servers, own } = this.#options;
    const text = JSON.stringify({ version: 1, servers, ...own() });
    const session = this.#session;
    if (session === undefined || (this.#isHeld && text === this.#written)) return;
    const value = new TextEncoder().encode(text);
    const write = { verb: 'lock' as const, key: this.#key, value, flags: '0', index: 0, session };
    if (await registry.kv.write(write, this.#cause)) this.#written = text;
  }

  #look(): void {
    const { registry, clock, onTold, onLock } = this.#options;
    const entry = registry.catalog.kv.entry(this.#key).value;
    const isOwn = entry !== undefined && entry.session !== '' && entry.session === this.#session;
    if (entry && !isOwn) {
      const told = parsed(entry.value);
      if (told?.servers === this.#options.servers) onTold(told);
    }
    const isHeld = isOwn && clock.now() - this.#renewedAt < TTL_MS;
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    onLock(isHeld);
  }

  get #cause() {
    return { by: `mysql-vip ${this.#options.vip}`, what: 'agreement' };
  }

  #warn(error: unknown): void {
    const { log, vip } = this.#options;
    log.warn({ vip, error: messageOf(error) }, `mysql-vip ${vip} cannot agree with others on its master`);
  }
}

/** Undefined: that is nothing that this version has written. */
function parsed(value: Uint8Array): z.infer<typeof agreed> | undefined {
  try {
    const result = agreed.safeParse(JSON.parse(new TextDecoder().decode(value)));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}
