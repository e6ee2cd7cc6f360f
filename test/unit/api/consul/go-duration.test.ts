import { expect, test } from 'vitest';
import { parseGoDuration } from '../../../../src/api/consul/go-duration.ts';

test.each([
  ['10s', 10_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['0.5s', 500],
  ['.5s', 500],
  ['1.s', 1_000],
  ['0m0.5s', 500],
  ['-1.5h', -5_400_000],
  ['+2m', 120_000],
  ['1µs', 0.001],
  ['0', 0],
  ['10', undefined],
  ['', undefined],
  ['s', undefined],
  ['.s', undefined],
  ['1d', undefined],
  ['1s ', undefined],
  ['9999999h', undefined],
])('%s', (text, expected) => {
  const parsed = parseGoDuration(text);
  if (expected === undefined) expect(parsed).toBe(undefined);
  else expect(parsed).toBeCloseTo(expected, 6);
});
