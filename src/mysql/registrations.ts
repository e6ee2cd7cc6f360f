import { isDeepStrictEqual } from 'node:util';
import { type Clock, sleep } from '../core/clock.ts';
import { asVaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { RegistryCommands } from '../registry/commands.ts';
import type { Cause, CheckStatus } from '../registry/model.ts';
import type { CatalogReader } from '../registry/reader.ts';

export type VipRegistry = Pick<RegistryCommands, 'registerService' | 'deregisterService' | 'reportCheck'> & {
  readonly catalog: CatalogReader;
};

/** One instance as it is to stand in the registry. */
export interface Entry {
  readonly id: string;
  readonly service: string;
  readonly tags: readonly string[];
  readonly address: string;
  readonly port: number;
}

/** What an instance is to show. */
export interface EntryState {
  readonly status: CheckStatus;
  readonly output: string;
}

export interface RegistrationsOptions {
  readonly registry: VipRegistry;
  readonly clock: Clock;
  readonly log: Log;
  readonly vip: string;
  readonly entries: readonly Entry[];
}

/** Marks what a VIP has registered, so that what a crash left behind can be told from what others registered. */
const META_KEY = 'vane-mysql-vip';
/** What could not be committed is tried again after so long, ms. */
const RETRY_MS = 1_000;

/**
 * The instances that a VIP shows in the registry. What is to leave the rotation leaves before anything else comes in,
 * and nothing comes in as long as something could not be taken out.
 */
export class Registrations {
  readonly #options: RegistrationsOptions;
  readonly #cause: Cause;
  /** Committed as such. */
  readonly #told = new Map<string, CheckStatus>();
  /** To be deregistered. */
  readonly #gone = new Set<string>();
  readonly #stop = new AbortController();
  /** Not registered, or no longer as they are to be. */
  #entries: readonly Entry[];
  #wanted: ReadonlyMap<string, EntryState> = new Map();
  #working: Promise<void> | undefined;

  constructor(options: RegistrationsOptions) {
    this.#options = options;
    this.#entries = options.entries;
    this.#cause = { by: `mysql-vip ${options.vip}`, what: 'failover' };
  }

  /** Says what is to be shown from now on, by id of the entry; those not named are to be critical. Registers all. */
  want(wanted: ReadonlyMap<string, EntryState>): void {
    this.#wanted = wanted;
    if (this.#stop.signal.aborted || this.#isDone()) return;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
      // Wanted after the work had ended, and before that was known.
      this.want(this.#wanted);
    });
  }

  /**
   * Has other instances from now on. Those that are registered as something else are registered anew, and are critical
   * until more is wanted of them; those that are not among them are taken out.
   */
  replace(entries: readonly Entry[]): void {
    for (const entry of this.#entries) {
      const next = entries.find(({ id }) => id === entry.id);
      if (next && isDeepStrictEqual(next, entry)) continue;
      if (!next && this.#told.has(entry.id)) this.#gone.add(entry.id);
      this.#told.delete(entry.id);
    }
    for (const { id } of entries) this.#gone.delete(id);
    this.#entries = entries;
  }

  /** Resolves when all that is wanted now has been committed, or nothing will be any more. */
  async settled(): Promise<void> {
    while (this.#working) await this.#working;
  }

  /** Takes all of them out of the registry. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    await this.settled();
    const { registry, log, vip } = this.#options;
    for (const id of [...this.#gone, ...this.#entries.map((entry) => entry.id)]) {
      try {
        await registry.deregisterService(id, { ...this.#cause, what: 'stop' });
      } catch (error) {
        log.warn({ vip, id, error: asVaneError(error).message }, 'mysql-vip: cannot be deregistered');
      }
    }
  }

  async #work(): Promise<void> {
    const { clock, log, vip } = this.#options;
    while (!this.#isDone()) {
      try {
        await this.#step();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        log.error({ vip, error: asVaneError(error).message }, 'mysql-vip: registry does not take the change');
        await sleep(clock, RETRY_MS, this.#stop.signal).catch(() => {});
      }
      if (this.#stop.signal.aborted) return;
    }
  }

  /** One change: those that take something out come first. */
  async #step(): Promise<void> {
    const { registry, log, vip } = this.#options;
    const entries = this.#entries;
    for (const id of this.#gone) {
      await registry.deregisterService(id, this.#cause);
      this.#gone.delete(id);
    }
    const unknown = entries.find(({ id }) => !this.#told.has(id));
    if (unknown) {
      await this.#register(unknown);
      return;
    }
    const changes = entries.filter(({ id }) => this.#told.get(id) !== this.#wantedOf(id).status);
    const next = changes.find(({ id }) => this.#wantedOf(id).status !== 'passing') ?? changes[0];
    if (!next) return;
    const { status, output } = this.#wantedOf(next.id);
    try {
      await registry.reportCheck(checkId(next.id), status, output, this.#cause);
    } catch (error) {
      // Somebody has deregistered it: then it stays away.
      if (asVaneError(error).code !== 'REGISTRY_NOT_FOUND') throw error;
      log.warn({ vip, id: next.id }, 'mysql-vip: instance was deregistered by somebody else');
    }
    this.#told.set(next.id, status);
  }

  /** Whatever it was before, it is critical until it is told otherwise. */
  async #register({ tags, ...entry }: Entry): Promise<void> {
    const { registry, vip } = this.#options;
    const service = {
      ...entry,
      tags,
      taggedAddresses: null,
      meta: { [META_KEY]: vip },
      weights: { passing: 1, warning: 1 },
      enableTagOverride: false,
      kind: '',
    };
    const check = {
      id: checkId(entry.id),
      name: `mysql-vip ${vip}`,
      notes: '',
      status: 'critical' as const,
      type: '',
      definition: undefined,
    };
    await registry.registerService({ service, checks: [check], replaceChecks: true }, this.#cause);
    await registry.reportCheck(check.id, 'critical', 'not asked yet', this.#cause);
    this.#told.set(entry.id, 'critical');
  }

  #isDone(): boolean {
    const isTold = ({ id }: Entry) => this.#told.get(id) === this.#wantedOf(id).status;
    return this.#gone.size === 0 && this.#entries.every(isTold);
  }

  #wantedOf(id: string): EntryState {
    return this.#wanted.get(id) ?? { status: 'critical', output: '' };
  }
}

/** Whether these are the meta data of an instance that a VIP has registered, and keeps up to date. */
export function isVipInstance(meta: Readonly<Record<string, string>> | null): boolean {
  return meta !== null && Object.hasOwn(meta, META_KEY);
}

/** Takes out of the registry what VIPs of an earlier run have left there: nobody keeps it up to date. */
export async function forgetLeftovers(registry: VipRegistry): Promise<void> {
  const own = registry.catalog.node(registry.catalog.self).value?.instances ?? [];
  const cause = { by: 'mysql-vip', what: 'left by an earlier run' };
  for (const { id, meta } of own) {
    if (isVipInstance(meta)) await registry.deregisterService(id, cause);
  }
}

function checkId(id: string): string {
  return `service:${id}`;
}
