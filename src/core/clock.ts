/** Ends what it was returned by (a timer, a subscription); calling it again does nothing. */
export type Cancel = () => void;

/** Time as an argument, so that everything which waits can be tested without waiting. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start: for measuring and for deadlines. */
  now(): number;
  /** Milliseconds since the Unix epoch: only for times that people or files will read. */
  wall(): number;
  /** Calls `fn` once after `ms` milliseconds; the caller owns the timer and ends it by the returned function. */
  after(ms: number, fn: () => void): Cancel;
}

/** Node's timers hold at most a signed 32-bit number of milliseconds (24.8 days) and fire at once beyond it. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. The only place in the pure rooms that touches a real timer. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(0, ms), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts, leaving no timer behind. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
