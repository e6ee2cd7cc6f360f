import { expect, test } from 'vitest';
import { ResetAllowance } from '../../../../../src/proxy/lanes/h2/reset-allowance.ts';

test('some may break off at once, then as many as the time allows', () => {
  const allowance = new ResetAllowance(1_000);
  const took = (now: number) => {
    let count = 0;
    while (count < 10_000 && allowance.take(now)) count++;
    return count;
  };
  expect(took(1_000)).toBe(200);
  // The one that was refused is owed.
  expect(took(2_000)).toBe(32);
  expect(took(100_000)).toBe(200);
});
