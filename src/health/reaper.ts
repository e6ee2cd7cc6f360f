import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { RegistryCommands } from '../registry/commands.ts';
import { goDuration } from './duration.ts';

/** What the reaper looks at: one check of a service. */
export interface Reapable {
  readonly checkId: string;
  readonly serviceId: string;
  /** 0: never, ms. */
  readonly deregisterCriticalServiceAfter: number;
  /** Clock ms. */
  readonly criticalSince: number | undefined;
}

export interface ReaperOptions {
  readonly registry: Pick<RegistryCommands, 'deregisterService'>;
  readonly checks: () => Iterable<Reapable>;
  readonly clock: Clock;
  readonly log: Log;
  /** Shorter times are raised to this, ms (Consul: 1m). */
  readonly floor: number;
  /** How often it looks, ms (Consul: 30s). */
  readonly tick: number;
}

/** Consul's `deregister_critical_service_after`: takes instances away that have been critical for too long. */
export class Reaper {
  readonly #options: ReaperOptions;
  /** Services being deregistered: a slow store must not collect more of the same. */
  readonly #underWay = new Map<string, Promise<void>>();
  #cancel: Cancel = () => {};

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.clock.after(this.#options.tick, () => {
      this.start();
      this.#look();
    });
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#cancel();
    await Promise.all(this.#underWay.values());
  }

  #look(): void {
    const { checks, clock, floor } = this.#options;
    for (const check of checks()) {
      const { serviceId, criticalSince, deregisterCriticalServiceAfter: after } = check;
      if (after === 0 || serviceId === '' || criticalSince === undefined) continue;
      const criticalFor = clock.now() - criticalSince;
      if (criticalFor <= Math.max(after, floor) || this.#underWay.has(serviceId)) continue;
      const reaping = this.#reap(serviceId, check.checkId, criticalFor);
      this.#underWay.set(
        serviceId,
        reaping.finally(() => this.#underWay.delete(serviceId)),
      );
    }
  }

  async #reap(serviceId: string, checkId: string, criticalFor: number): Promise<void> {
    const { registry, log } = this.#options;
    const seconds = Math.round(criticalFor / 1000);
    const what = `critical for ${goDuration(seconds * 1000)} (check ${checkId})`;
    try {
      await registry.deregisterService(serviceId, { by: 'reaper', what });
    } catch (thrown) {
      // Tried again at the next tick.
      log.warn(
        { service: serviceId, check: checkId, error: messageOf(thrown) },
        'critical service not removed',
      );
    }
  }
}
