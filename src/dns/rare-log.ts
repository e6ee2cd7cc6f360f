import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';

const QUIET_MS = 1_000;

/** Logs at most one line a second and says how many it left out: strangers must not be able to fill the log. */
export class RareLog {
  readonly #log: Log;
  readonly #clock: Clock;
  #quietUntil = Number.NEGATIVE_INFINITY;
  #suppressed = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  warn(fields: object, message: string): void {
    this.#write('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#write('error', fields, message);
  }

  #write(level: 'warn' | 'error', fields: object, message: string): void {
    if (this.#clock.now() < this.#quietUntil) {
      this.#suppressed += 1;
      return;
    }
    this.#quietUntil = this.#clock.now() + QUIET_MS;
    const suppressed = this.#suppressed > 0 ? { suppressed: this.#suppressed } : {};
    this.#suppressed = 0;
    this.#log[level]({ ...fields, ...suppressed }, message);
  }
}
