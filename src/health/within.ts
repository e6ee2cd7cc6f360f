import type { Clock } from '../core/clock.ts';

/** Resolves when all of `work` has settled or the clock has passed `deadline`, whichever is first. */
export function settledBy(clock: Clock, deadline: number, work: Iterable<Promise<unknown>>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(deadline - clock.now(), resolve);
    void Promise.allSettled(work).then(() => {
      cancel();
      resolve();
    });
  });
}
