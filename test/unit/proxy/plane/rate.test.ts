import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rate } from '../../../../src/proxy/plane/rate.ts';

describe('Rate', () => {
  test('counts the events of this second', () => {
    const rate = new Rate();
    for (const at of [0, 10, 999]) rate.hit(at);
    expect(rate.read(999)).toBe(3);
  });

  test('lets the second before fade out', () => {
    const rate = new Rate();
    for (let i = 0; i < 10; i++) rate.hit(5_900);
    expect(rate.read(6_000)).toBe(10);
    expect(rate.read(6_500)).toBe(5);
    expect(rate.read(6_999)).toBe(0);
    expect(rate.read(7_000)).toBe(0);
  });

  test('forgets what is longer ago', () => {
    const rate = new Rate();
    for (let i = 0; i < 10; i++) rate.hit(500);
    expect(rate.read(60_000)).toBe(0);
    rate.hit(60_000);
    expect(rate.read(60_000)).toBe(1);
  });

  test('remembers the most it has been', () => {
    const rate = new Rate();
    expect(rate.max).toBe(0);
    for (let i = 0; i < 7; i++) rate.hit(1_500);
    rate.hit(9_000);
    expect(rate.max).toBe(7);
  });

  test('an even stream reads as what it is, at any moment after its first second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1_000, max: 9_000 }), (per, at) => {
        const rate = new Rate();
        for (let t = 0; t <= at; t += 1000 / per) rate.hit(t);
        expect(Math.abs(rate.read(at) - per)).toBeLessThanOrEqual(2);
      }),
    );
  });

  test('never reads more than the events of the last two seconds, nor less than those of this one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5_000 })), fc.nat({ max: 2_000 }), (times, later) => {
        const rate = new Rate();
        const sorted = times.sort((a, b) => a - b);
        for (const at of sorted) rate.hit(at);
        const now = (sorted.at(-1) ?? 0) + later;
        const second = Math.floor(now / 1000);
        const since = (from: number) => sorted.filter((at) => at >= from * 1000).length;
        const read = rate.read(now);
        expect(read).toBeGreaterThanOrEqual(since(second));
        expect(read).toBeLessThanOrEqual(since(second - 1));
        expect(rate.max).toBeLessThanOrEqual(sorted.length);
      }),
    );
  });
});
