import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextWarmthAt, warmthAt } from '../../../src/balance/slow-start.ts';

test('begins with a twentieth and has all at the end', () => {
  const at = (now: number) => warmthAt(1_000, 10_000, now);
  expect([1_000, 1_499, 1_500, 6_000, 10_499, 10_500, 11_000, 99_000].map(at)).toEqual([
    0.05, 0.05, 0.1, 0.55, 0.95, 1, 1, 1,
  ]);
  expect(warmthAt(1_000, 0, 1_000)).toBe(1);
});

test('rises in at most twenty steps, each at the time that is told', () => {
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 600_000 }), fc.nat(1_000_000), (time, since) => {
      let now = since;
      let warmth = warmthAt(since, time, now);
      let steps = 1;
      for (let next = nextWarmthAt(since, time, now); next !== undefined; ) {
        expect(warmthAt(since, time, next - 0.01)).toBe(warmth);
        now = next + 0.01;
        const more = warmthAt(since, time, now);
        expect(more).toBeGreaterThan(warmth);
        warmth = more;
        steps++;
        next = nextWarmthAt(since, time, now);
      }
      expect(warmth).toBe(1);
      expect(steps).toBe(20);
      expect(now - since).toBeLessThanOrEqual(time);
    }),
  );
});
