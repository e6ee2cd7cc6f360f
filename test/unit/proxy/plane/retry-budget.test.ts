import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RetryBudget } from '../../../../src/proxy/plane/retry-budget.ts';

function taken(budget: RetryBudget, now: number, attempts: number): number {
  let count = 0;
  for (let i = 0; i < attempts; i++) if (budget.take(now)) count++;
  return count;
}

describe('a budget for retries', () => {
  test('is so many a second over ten seconds, without any request', () => {
    const budget = new RetryBudget({ percent: 20, perSecond: 10 });
    expect(taken(budget, 5_000, 500)).toBe(100);
    expect(budget.refused).toBe(400);
    expect(taken(budget, 14_999, 10)).toBe(0);
    expect(taken(budget, 15_000, 500)).toBe(100);
  });

  test('grows with the requests of the last ten seconds', () => {
    const budget = new RetryBudget({ percent: 20, perSecond: 0 });
    for (let i = 0; i < 100; i++) budget.request(1_000 + i);
    expect(taken(budget, 2_000, 100)).toBe(20);
    expect(taken(budget, 60_000, 100)).toBe(0);
  });

  test('leaves half to those that would fail without it', () => {
    const budget = new RetryBudget({ percent: 0, perSecond: 10 });
    let spare = 0;
    for (let i = 0; i < 200; i++) if (budget.takeSpare(5_000)) spare++;
    expect(spare).toBe(50);
    expect(budget.refused).toBe(0);
    expect(taken(budget, 5_000, 200)).toBe(50);
    expect(budget.takeSpare(5_000)).toBe(false);
  });

  test('allows all where there is none', () => {
    const budget = new RetryBudget(undefined);
    expect(taken(budget, 0, 1_000)).toBe(1_000);
  });

  test('is never exceeded in any window of ten whole seconds', () => {
    const step = fc.tuple(fc.boolean(), fc.nat({ max: 3_000 }));
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.nat({ max: 100 }),
        fc.nat({ max: 3 }),
        (steps, percent, perSecond) => {
          const budget = new RetryBudget({ percent, perSecond });
          const requests: number[] = [];
          const retries: number[] = [];
          let now = 0;
          for (const [isRequest, ms] of steps) {
            now += ms;
            const second = Math.floor(now / 1000);
            if (isRequest) {
              budget.request(now);
              requests.push(second);
            } else if (budget.take(now)) {
              retries.push(second);
              const within = (all: readonly number[]) => all.filter((one) => one > second - 10).length;
              expect(within(retries)).toBeLessThanOrEqual(
                (within(requests) * percent) / 100 + perSecond * 10,
              );
            }
          }
        },
      ),
    );
  });
});
