import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Probe, ProbeResult } from './probe.ts';
import type { Slots } from './slots.ts';

/** Milliseconds throughout. */
export interface RunnerOptions {
  readonly probe: Probe;
  /** From the end of one run to the start of the next; asked after each run, with what that took, if it may differ. */
  readonly interval: number | ((tookMs: number) => number);
  /** A run is aborted after this long. */
  readonly timeout: number;
  /** The first run comes after a random part of this, so that many checks started together do not run together. */
  readonly firstWithin: number;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly slots: Slots;
  /**
   * A run that has taken this long only waits for somebody else, and gives its slot to another: those that hang must not
   * keep the others from being checked. Default: it keeps its slot to its end.
   */
  readonly slotFor?: number;
  /** Hears every result of a run that was not cut short by {@link Runner.stop}; must not throw. */
  readonly onResult: (result: ProbeResult, durationMs: number) => void;
}

/** Runs one probe again and again, never twice at a time. Started and stopped once. */
export class Runner {
  readonly #options: RunnerOptions;
  /** Gives up what the next run waits for: its time or its slot. */
  #cancelNext: Cancel = () => {};
  #running: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  #again = false;
  /** Its next run comes as soon as the clock and the slots allow. */
  #due = false;
  #stopped = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#scheduleIn(this.#options.random() * this.#options.firstWithin);
  }

  /** Runs now instead of when it is due. A run under way may have seen too little: another follows it at once. */
  runNow(): void {
    if (this.#stopped) return;
    if (this.#running) this.#again = true;
    else if (!this.#due) this.#scheduleIn(0);
  }

  /** No result is reported any more. Resolves when a run under way has ended; calling it again does nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelNext();
    this.#running?.abort.abort(new VaneError('STOPPING', 'the check was stopped'));
    await this.#running?.ended;
  }

  #scheduleIn(ms: number): void {
    const { clock, slots } = this.#options;
    this.#cancelNext();
    this.#due = ms === 0;
    this.#cancelNext = clock.after(ms, () => {
      this.#due = true;
      this.#cancelNext = slots.take((release) => {
        this.#due = false;
        const abort = new AbortController();
        this.#running = { abort, ended: this.#holding(release, this.#run(abort)) };
      });
    });
  }

  /** Gives the slot back at the end of a run, or once it has held it for long. */
  async #holding(release: () => void, run: Promise<void>): Promise<void> {
    const { clock, slotFor } = this.#options;
    const cancel = slotFor === undefined ? () => {} : clock.after(slotFor, release);
    await run;
    cancel();
    release();
  }

  async #run(abort: AbortController): Promise<void> {
    const { clock, timeout, interval, onResult } = this.#options;
    const began = clock.now();
    const cancelTimeout = clock.after(timeout, () =>
      abort.abort(new VaneError('UPSTREAM_TIMEOUT', 'the check took too long')),
    );
    const result = await this.#probe(abort.signal);
    cancelTimeout();
    this.#running = undefined;
    if (this.#stopped) return;
    const tookMs = clock.now() - began;
    onResult(result, tookMs);
    if (this.#stopped) return;
    const pause = typeof interval === 'number' ? interval : interval(tookMs);
    this.#scheduleIn(this.#again ? 0 : pause);
    this.#again = false;
  }

  /** A probe does not reject; one that does all the same must not end the checking. */
  async #probe(signal: AbortSignal): Promise<ProbeResult> {
    try {
      return await this.#options.probe.run(signal);
    } catch (thrown) {
      return {
        status: 'critical',
        output: `Check failed: ${messageOf(thrown)}`,
        code: 'SOCKERR',
        httpStatus: undefined,
      };
    }
  }
}
