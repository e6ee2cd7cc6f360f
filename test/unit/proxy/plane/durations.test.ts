import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DURATION_BOUNDS } from '../../../../src/proxy/plane/counters.ts';
import { Durations } from '../../../../src/proxy/plane/durations.ts';

describe('Durations', () => {
  test.each([
    [0, 0],
    [1, 0],
    [1.1, 1],
    [2.5, 1],
    [5, 2],
    [100, 6],
    [1_000, 9],
    [1_001, 10],
    [30_000, DURATION_BOUNDS.length - 1],
    [30_001, DURATION_BOUNDS.length],
    [9e9, DURATION_BOUNDS.length],
  ])('%d ms are counted in bucket %i', (milliseconds, bucket) => {
    const durations = new Durations();
    durations.add(milliseconds);
    const { buckets } = durations.read();
    expect(buckets).toHaveLength(DURATION_BOUNDS.length + 1);
    expect(buckets.flatMap((count, i) => (count > 0 ? [i] : []))).toEqual([bucket]);
  });

  test('buckets, sum and count tell of the same requests', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 60_000 })), (times) => {
        const durations = new Durations();
        for (const time of times) durations.add(time);
        const { buckets, sum, count } = durations.read();
        expect(count).toBe(times.length);
        expect(buckets.reduce((total, one) => total + one, 0)).toBe(times.length);
        expect(sum).toBeCloseTo(
          times.reduce((total, time) => total + time / 1000, 0),
          6,
        );
        for (const [i, bound] of DURATION_BOUNDS.entries()) {
          const within = buckets.slice(0, i + 1).reduce((total, one) => total + one, 0);
          expect(within).toBe(times.filter((time) => time / 1000 <= bound).length);
        }
      }),
    );
  });

  test('what was read does not change', () => {
    const durations = new Durations();
    const before = durations.read();
    durations.add(1);
    expect(before.buckets.every((count) => count === 0)).toBe(true);
  });
});
