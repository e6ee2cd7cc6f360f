import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UsualTime } from '../../../src/balance/usual-time.ts';

test('says nothing before it has seen enough', () => {
  const usual = new UsualTime();
  for (let i = 0; i < 15; i++) usual.add(10);
  expect(usual.most).toBeUndefined();
  usual.add(10);
  expect(usual.most).toBeGreaterThanOrEqual(10);
});

test('is above the mean of steady times, and near to them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), (ms) => {
      const usual = new UsualTime();
      for (let i = 0; i < 200; i++) usual.add(ms);
      expect(usual.most).toBeGreaterThanOrEqual(ms * 0.99);
      expect(usual.most).toBeLessThan(ms * 1.01 + 1);
    }),
  );
});

test('is above all times that come in turns', () => {
  const usual = new UsualTime();
  for (let i = 0; i < 400; i++) usual.add(i % 4 === 0 ? 400 : 1);
  expect(usual.most).toBeGreaterThan(400);
});
