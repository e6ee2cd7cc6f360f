import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Adjustment, adjusted, sameAdjustment } from '../../../src/balance/weights.ts';

const own = { weight: 10, maxconn: 100 };

describe('whose word about a weight counts', () => {
  test.each<[string, Adjustment, number, number]>([
    ['nobody else says anything', {}, 10, 100],
    ['the agent says a percentage', { agent: { percent: 50 } }, 5, 100],
    ['the agent says a weight', { agent: { weight: 3 } }, 3, 100],
    ["the operator's goes before the agent's", { operator: { percent: 200 }, agent: { weight: 3 } }, 20, 100],
    ['the operator says 0', { operator: { weight: 0 }, agent: { weight: 3 } }, 0, 100],
    ['it wants no new work, whatever the operator says', { held: true, operator: { weight: 7 } }, 0, 100],
    ['a slow start has its part of whatever comes out', { agent: { weight: 3 }, warmth: 0.5 }, 1.5, 50],
    ['of a limit that an agent sets, too', { maxconn: 7, warmth: 0.5 }, 5, 4],
    ['and never less than one', { maxconn: 3, warmth: 0.05 }, 0.5, 1],
    ['no limit stays none', { maxconn: 0, warmth: 0.05 }, 0.5, 0],
  ])('%s', (_, adjustment, weight, maxconn) => {
    const share = adjusted(own, adjustment);
    expect(share.weight).toBeCloseTo(weight);
    expect(share.maxconn).toBe(maxconn);
  });

  test('a server of weight 0 has none, whatever an agent or an operator says', () => {
    const nothing = { weight: 0, maxconn: 0 };
    expect(adjusted(nothing, { operator: { weight: 5 }, agent: { percent: 100 } }).weight).toBe(0);
  });
});

test('adjustments that say the same come to the same', () => {
  const word = fc.option(fc.oneof(fc.record({ percent: fc.nat(3) }), fc.record({ weight: fc.nat(3) })), {
    nil: undefined,
  });
  const adjustment = fc.record({
    operator: word,
    agent: word,
    maxconn: fc.option(fc.nat(2), { nil: undefined }),
    held: fc.boolean(),
    warmth: fc.constantFrom(0.5, 1),
  });
  fc.assert(
    fc.property(adjustment, adjustment, (a, b) => {
      if (sameAdjustment(a, b)) expect(adjusted(own, a)).toEqual(adjusted(own, b));
      expect(sameAdjustment(a, { ...a })).toBe(true);
    }),
  );
  expect(sameAdjustment({}, { held: false, warmth: 1 })).toBe(true);
  expect(sameAdjustment({ agent: { percent: 1 } }, { agent: { weight: 1 } })).toBe(false);
});
