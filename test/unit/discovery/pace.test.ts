import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pace } from '../../../src/discovery/pace.ts';

/** Tells a change every `every` ms, each of which takes `work` ms; returns how long each had to wait. */
function waits({ changes, every, work }: { changes: number; every: number; work: number }): number[] {
  const pace = new Pace();
  return Array.from({ length: changes }, (_, i) => {
    const now = i * every;
    const wait = pace.wait(now);
    pace.told(now + wait, now + wait + work);
    return wait;
  });
}

test('a few changes never wait, however long telling them takes', () => {
  expect(waits({ changes: 3, every: 1, work: 10 })).toEqual([0, 0, 0]);
});

test('changes that take less than a tenth of the time never wait', () => {
  expect(Math.max(...waits({ changes: 10_000, every: 10, work: 0.9 }))).toBe(0);
});

test('changes that take more than that come to wait', () => {
  expect(waits({ changes: 200, every: 10, work: 5 }).at(-1)).toBe(25);
});

test('after some rest they do not wait any more', () => {
  const pace = new Pace();
  pace.told(0, 10_000);
  expect(pace.wait(10_000)).toBe(25);
  expect(pace.wait(10_025)).toBe(0);
});

test('no change waits longer than 25 ms, whatever was before', () => {
  const time = fc.integer({ min: 0, max: 1000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(time, time)), (told) => {
      const pace = new Pace();
      let now = 0;
      for (const [pause, work] of told) {
        now += pause;
        const wait = pace.wait(now);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(25);
        pace.told(now, now + work);
        now += work;
      }
    }),
  );
});
