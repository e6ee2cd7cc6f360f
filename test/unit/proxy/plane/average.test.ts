import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Average } from '../../../../src/proxy/plane/average.ts';

const of = (...values: number[]) => {
  const average = new Average();
  for (const value of values) average.add(value);
  return average;
};

describe('Average', () => {
  test('is 0 before the first value', () => {
    expect(of()).toMatchObject({ mean: 0, max: 0 });
  });

  test('is right from the first value on', () => {
    expect(of(7)).toMatchObject({ mean: 7, max: 7 });
    expect(of(1, 2, 6)).toMatchObject({ mean: 3, max: 6 });
  });

  test('of few values is the mean of all', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 60_000 }), { minLength: 1, maxLength: 1024 }), (values) => {
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const average = of(...values);
        expect(Math.abs(average.mean - mean)).toBeLessThanOrEqual(0.51);
        expect(average.max).toBe(Math.max(...values));
      }),
    );
  });

  test('follows what is new and forgets what is old, but not the maximum', () => {
    const average = of(...new Array(5_000).fill(1_000), ...new Array(10_000).fill(10));
    expect(average.mean).toBe(10);
    expect(average.max).toBe(1_000);
  });

  test('one value among many moves it little', () => {
    const average = of(...new Array(2_000).fill(10), 10_250);
    expect(average.mean).toBe(20);
  });
});
