import { isDeepStrictEqual } from 'node:util';
import { type Clock, sleep } from '../../core/clock.ts';
import { asVaneError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { CheckStatus } from '../../registry/model.ts';
import type { Entry, EntryState, Instances } from './instances.ts';

export interface RegistrationsOptions {
  readonly instances: Instances;
  readonly clock: Clock;
  readonly log: Log;
  readonly vip: string;
  readonly entries: readonly Entry[];
}

/** What could not be committed is tried again after so long, ms. */
const RETRY_MS = 1_000;

/**
 * The instances that a VIP shows in the registry. What is to leave the rotation leaves before anything else comes in,
 * and nothing comes in as long as something could not be taken out.
 */
export class Registrations {
  readonly #options: RegistrationsOptions;
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
    const { instances, log, vip } = this.#options;
    for (const id of [...this.#gone, ...this.#entries.map((entry) => entry.id)]) {
      try {
        await instances.deregister(id);
      } catch (error) {
        log.warn({ vip, id, error: asVaneError(error).message }, 'mysql-vip: cannot be deregistered');
        // Nor could the others, and each would take its time to fail.
        return;
      }
    }
  }

  async #work(): Promise<void> {
    const { clock, log, vip } = this.#options;
    let isTold = false;
    while (!this.#isDone()) {
      try {
        await this.#step();
        isTold = false;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        const why = asVaneError(error).message;
        if (!isTold) log.error({ vip, error: why }, 'mysql-vip: registry does not take the change');
        isTold = true;
        await sleep(clock, RETRY_MS, this.#stop.signal).catch(() => {});
      }
      if (this.#stop.signal.aborted) return;
    }
  }

  /** One change: those that take something out come first. */
  async #step(): Promise<void> {
    const { instances, log, vip } = this.#options;
    const entries = this.#entries;
    for (const id of this.#gone) {
      await instances.deregister(id);
      this.#gone.delete(id);
    }
    const unknown = entries.find(({ id }) => !this.#told.has(id));
    if (unknown) {
      await instances.register(unknown);
      this.#told.set(unknown.id, 'critical');
      return;
    }
    const changes = entries.filter(({ id }) => this.#told.get(id) !== this.#wantedOf(id).status);
    const next = changes.find(({ id }) => this.#wantedOf(id).status !== 'passing') ?? changes[0];
    if (!next) return;
    const state = this.#wantedOf(next.id);
    // Then it stays away.
    if (!(await instances.report(next.id, state)))
      log.warn({ vip, id: next.id }, 'mysql-vip: instance was deregistered by somebody else');
    this.#told.set(next.id, state.status);
  }

  #isDone(): boolean {
    const isTold = ({ id }: Entry) => this.#told.get(id) === this.#wantedOf(id).status;
    return this.#gone.size === 0 && this.#entries.every(isTold);
  }

  #wantedOf(id: string): EntryState {
    return this.#wanted.get(id) ?? { status: 'critical', output: '' };
  }
}
