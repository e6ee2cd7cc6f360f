import type { Cancel, Clock } from '../core/clock.ts';
import { capturedHead } from './output.ts';
import type { Reporter } from './report.ts';

export interface TtlOptions {
  /** Silence after which the check is critical, ms. */
  readonly ttl: number;
  readonly outputMaxSize: number;
  readonly clock: Clock;
  readonly reporter: Reporter;
}

/** Consul's TTL check: critical when nobody has said anything for too long. */
export class TtlCheck {
  readonly #options: TtlOptions;
  #lastOutput = '';
  #expiresAt = 0;
  #cancel: Cancel = () => {};

  constructor(options: TtlOptions) {
    this.#options = options;
  }

  /** Gives a full TTL from now. */
  start(): void {
    this.#expiresAt = this.#options.clock.now() + this.#options.ttl;
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#cancel();
  }

  /** A sign of life: gives a full TTL, and returns the output as it is to be stored. */
  heard(output: string): string {
    this.#lastOutput = capturedHead(output, this.#options.outputMaxSize);
    this.start();
    return this.#lastOutput;
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#cancel();
    this.#cancel = clock.after(this.#expiresAt - clock.now(), () => {
      // Timers of many weeks come early.
      if (clock.now() < this.#expiresAt) this.#arm();
      else this.#expire();
    });
  }

  #expire(): void {
    const last = this.#lastOutput === '' ? '' : ` (last output before timeout follows): ${this.#lastOutput}`;
    this.#options.reporter.report('critical', `TTL expired${last}`);
  }
}
