import { readFileSync } from 'node:fs';

/** How late a timer fired, and how much of that this process was at work, ms. */
interface Sample {
  readonly late: number;
  readonly own: number;
}

const PERIOD_MS = 10;

/**
 * Measures how late the event loop is. On a machine with other work a process waits for a processor as well, and Linux
 * tells for how long: the rest is what the process has itself to answer for.
 */
export class LoopDelays {
  #samples: Sample[] = [];
  #timer: NodeJS.Timeout | undefined;
  #due = 0;
  #waited = 0;

  start(): void {
    this.#samples = [];
    this.#expect();
  }

  /** Of the samples since {@link start}. */
  stop(): { p50Ms: number; p99Ms: number; maxMs: number; ownP99Ms: number; ownMaxMs: number } {
    clearTimeout(this.#timer);
    const late = this.#samples.map((sample) => sample.late).sort((a, b) => a - b);
    const own = this.#samples.map((sample) => sample.own).sort((a, b) => a - b);
    const at = (sorted: readonly number[], share: number) =>
      sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
    return {
      p50Ms: at(late, 0.5),
      p99Ms: at(late, 0.99),
      maxMs: at(late, 1),
      ownP99Ms: at(own, 0.99),
      ownMaxMs: at(own, 1),
    };
  }

  #expect(): void {
    this.#due = performance.now() + PERIOD_MS;
    this.#waited = processorWaitMs();
    this.#timer = setTimeout(() => {
      const late = Math.max(0, performance.now() - this.#due);
      const waited = processorWaitMs() - this.#waited;
      this.#samples.push({ late, own: Math.max(0, late - waited) });
      this.#expect();
    }, PERIOD_MS);
  }
}

/** What this thread has waited for a processor since it began (proc(5), schedstat); 0 where nobody tells. */
function processorWaitMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}
