import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecentQuantile } from '../../../src/balance/recent-quantile.ts';

/** Times of the given ms, one each ms of the clock from `from` on. */
function filled(share: number, times: readonly number[], from = 0): RecentQuantile {
  const quantile = new RecentQuantile(share);
  times.forEach((ms, i) => {
    quantile.add(ms, from + i);
  });
  return quantile;
}

describe('a quantile of recent times', () => {
  test.each([
    [0.5, 10],
    [0.95, 100],
    [0.99, 500],
    [0.999, 5_000],
  ])('%d is told from %d samples on', (share, least) => {
    const quantile = filled(share, new Array(least - 1).fill(1));
    expect(quantile.value).toBeUndefined();
    quantile.add(1, least);
    expect(quantile.value).toBeGreaterThanOrEqual(1);
  });

  test('is at most a tenth above the time that it is, and never below', () => {
    const times = fc.array(fc.double({ min: 0.1, max: 300_000, noNaN: true }), {
      minLength: 100,
      maxLength: 400,
    });
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.9, 0.95), (all, share) => {
        const sorted = all.toSorted((a, b) => a - b);
        const exact = sorted[Math.ceil(all.length * share - 1e-6) - 1] ?? Number.NaN;
        const told = filled(share, all).value ?? Number.NaN;
        expect(told).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
        expect(told).toBeLessThanOrEqual(exact * 1.1 * (1 + 1e-9));
      }),
    );
  });

  test('takes what is beyond its buckets for the first and the last', () => {
    expect(filled(0.5, new Array(20).fill(0)).value).toBeLessThanOrEqual(0.1);
    expect(filled(0.5, new Array(20).fill(1e9)).value).toBeGreaterThan(300_000);
  });

  test('forgets what is older than two generations', () => {
    const quantile = filled(0.5, new Array(1_000).fill(500));
    for (let at = 10_000; at < 20_000; at += 100) quantile.add(1, at);
    expect(quantile.value).toBeGreaterThan(400);
    for (let at = 20_000; at < 21_000; at += 100) quantile.add(1, at);
    expect(quantile.value).toBeLessThan(2);
  });

  test('of little traffic remembers what it needs, however old that is', () => {
    const quantile = filled(0.5, new Array(20).fill(50));
    for (let day = 1; day < 6; day++) {
      quantile.add(50, day * 86_400_000);
      expect(quantile.value).toBeGreaterThan(40);
    }
  });
});
