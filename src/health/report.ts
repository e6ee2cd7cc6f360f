import type { Cancel, Clock } from '../core/clock.ts';
import { asVaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { RegistryCommands } from '../registry/commands.ts';
import type { CheckStatus } from '../registry/model.ts';

export interface ReporterOptions {
  readonly registry: Pick<RegistryCommands, 'reportCheck'>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Finding {
  readonly status: CheckStatus;
  readonly output: string;
}

/** Whom a check tells what it has found; one for each check, and there can be very many. */
export type Reporter = Pick<CheckReporter, 'report'>;

/** After a commit that failed, ms. */
const RETRY_MS = 1000;

/**
 * Brings what one check found into the registry. While the store takes long or fails, only the latest finding
 * is kept and tried again: nothing piles up, and nothing that still holds is lost.
 */
export class CheckReporter {
  readonly #id: string;
  readonly #options: ReporterOptions;
  #pending: Finding | undefined;
  #sending: Promise<void> | undefined;
  #cancelRetry: Cancel | undefined;
  #criticalSince: number | undefined;
  #closed = false;

  constructor(id: string, options: ReporterOptions) {
    this.#id = id;
    this.#options = options;
  }

  /** Clock ms of the first of the unbroken row of critical findings; undefined while not critical. */
  get criticalSince(): number | undefined {
    return this.#criticalSince;
  }

  /** Reports without waiting; a failure of the store is tried again until it works or another finding comes. */
  report(status: CheckStatus, output: string): void {
    if (this.#closed) return;
    this.#note(status);
    this.#pending = { status, output };
    this.#cancelRetry?.();
    this.#sending ??= this.#send();
  }

  /** Reports once and says how it went: rejects with STORE_FAILED. Replaces what still waited to be tried again. */
  async reportNow(status: CheckStatus, output: string): Promise<void> {
    this.#note(status);
    this.#pending = undefined;
    this.#cancelRetry?.();
    await this.#commit({ status, output });
  }

  /** Resolves when nothing is under way any more. Nothing is reported after it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#pending = undefined;
    this.#cancelRetry?.();
    await this.#sending;
  }

  async #send(): Promise<void> {
    while (this.#pending) {
      const finding = this.#pending;
      this.#pending = undefined;
      try {
        await this.#commit(finding);
      } catch (thrown) {
        this.#failed(finding, thrown);
      }
    }
    this.#sending = undefined;
  }

  #failed(finding: Finding, thrown: unknown): void {
    const error = asVaneError(thrown);
    const { clock, log } = this.#options;
    if (error.code === 'REGISTRY_NOT_FOUND') return; // Deregistered meanwhile.
    log.warn({ check: this.#id, status: finding.status, error: error.message }, 'check result not stored');
    if (!error.retryable || this.#pending || this.#closed) return;
    this.#cancelRetry = clock.after(RETRY_MS, () => {
      this.#pending = finding;
      this.#sending ??= this.#send();
    });
  }

  async #commit({ status, output }: Finding): Promise<void> {
    const cause = { by: 'check', what: this.#id };
    await this.#options.registry.reportCheck(this.#id, status, output, cause);
  }

  #note(status: CheckStatus): void {
    if (status !== 'critical') this.#criticalSince = undefined;
    else this.#criticalSince ??= this.#options.clock.now();
  }
}
