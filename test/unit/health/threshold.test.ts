import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConsulThreshold, RiseFall } from '../../../src/health/threshold.ts';
import type { CheckStatus } from '../../../src/registry/model.ts';

const status = fc.constantFrom<CheckStatus>('passing', 'warning', 'critical');
const count = fc.integer({ min: 1, max: 6 });

describe('ConsulThreshold', () => {
  /** The statuses that are reported, `.` where the old one stays. */
  function run(options: { success?: number; failures?: number }, statuses: readonly CheckStatus[]): string {
    const threshold = new ConsulThreshold({
      successBeforePassing: options.success ?? 0,
      failuresBeforeCritical: options.failures ?? 0,
    });
    return statuses.map((each) => (threshold.admits(each) ? each[0] : '.')).join('');
  }
  const p = 'passing';
  const w = 'warning';
  const c = 'critical';

  test.each([
    ['without thresholds everything counts', {}, [p, c, w, c, p], 'pcwcp'],
    ['the first result counts at once, good or bad', { success: 3, failures: 3 }, [c], 'c'],
    ['the first result counts at once when it passes', { success: 3, failures: 3 }, [p], 'p'],
    ['two failures make critical, not one and not three', { failures: 2 }, [p, c, c, c], 'p.cc'],
    ['two successes make passing', { success: 2 }, [c, p, p, p], 'c.pp'],
    ['a success between failures starts the count anew', { failures: 2 }, [p, c, p, c, c], 'p.p.c'],
    ['a warning counts as a success', { success: 2, failures: 2 }, [p, c, c, w, w, p], 'p.c.wp'],
  ] as const)('%s', (_name, options, statuses, reported) => {
    expect(run(options, statuses)).toBe(reported);
  });

  test('reports exactly when the unbroken row is long enough, or nothing else has come yet', () => {
    fc.assert(
      fc.property(count, count, fc.array(status, { maxLength: 40 }), (success, failures, statuses) => {
        const threshold = new ConsulThreshold({
          successBeforePassing: success,
          failuresBeforeCritical: failures,
        });
        let row = 0;
        let onlyOneSort = true;
        statuses.forEach((each, i) => {
          const bad = each === 'critical';
          const before = statuses[i - 1];
          const sameSort = before === undefined || (before === 'critical') === bad;
          if (!sameSort) onlyOneSort = false;
          row = sameSort ? row + 1 : 1;
          expect(threshold.admits(each)).toBe(onlyOneSort || row >= (bad ? failures : success));
        });
      }),
    );
  });
});

describe('RiseFall', () => {
  function positions(options: { rise: number; fall: number }, results: string): string[] {
    const riseFall = new RiseFall(options);
    return [...results].map((result) => {
      riseFall.record(result === '+');
      return riseFall.position;
    });
  }

  test.each([
    ['a new server falls by its first failure', { rise: 2, fall: 3 }, '-', ['DOWN']],
    ['and stands firm after its first success', { rise: 2, fall: 3 }, '+--', ['UP', 'UP 2/3', 'UP 1/3']],
    [
      'the fall-th failure in a row takes it down',
      { rise: 2, fall: 3 },
      '+---',
      ['UP', 'UP 2/3', 'UP 1/3', 'DOWN'],
    ],
    [
      'one success forgives all failures',
      { rise: 2, fall: 3 },
      '+--+-',
      ['UP', 'UP 2/3', 'UP 1/3', 'UP', 'UP 2/3'],
    ],
    ['rise successes bring it back', { rise: 2, fall: 3 }, '-++', ['DOWN', 'DOWN 1/2', 'UP']],
    [
      'a failure while rising starts again',
      { rise: 3, fall: 1 },
      '-++-',
      ['DOWN', 'DOWN 1/3', 'DOWN 2/3', 'DOWN'],
    ],
    ['rise 1 and fall 1 follow every result', { rise: 1, fall: 1 }, '+-+', ['UP', 'DOWN', 'UP']],
  ] as const)('%s', (_name, options, results, expected) => {
    expect(positions(options, results)).toEqual(expected);
  });

  test('starts as it is told', () => {
    expect(new RiseFall({ rise: 2, fall: 3 }).position).toBe('UP 1/3');
    expect(new RiseFall({ rise: 2, fall: 1 }).position).toBe('UP');
    const down = new RiseFall({ rise: 2, fall: 3 }, 'down');
    expect([down.up, down.position, down.health]).toEqual([false, 'DOWN', 0]);
    const nearlyUp = new RiseFall({ rise: 2, fall: 3 }, 'nearly up');
    expect([nearlyUp.up, nearlyUp.position, nearlyUp.health]).toEqual([false, 'DOWN 1/2', 1]);
    expect([nearlyUp.record(true), nearlyUp.position]).toEqual([true, 'UP']);
  });

  test('goes down only after fall failures in a row, comes up only after rise successes in a row', () => {
    fc.assert(
      fc.property(count, count, fc.array(fc.boolean(), { maxLength: 60 }), (rise, fall, results) => {
        const riseFall = new RiseFall({ rise, fall });
        riseFall.record(true);
        let up = true;
        let row = 0;
        let last: boolean | undefined;
        for (const ok of results) {
          row = ok === last ? row + 1 : 1;
          last = ok;
          const flips = ok ? !up && row >= rise : up && row >= fall;
          expect(riseFall.record(ok)).toBe(flips);
          if (flips) up = !up;
          expect(riseFall.up).toBe(up);
          expect(riseFall.health).toBeGreaterThanOrEqual(0);
          expect(riseFall.health).toBeLessThan(rise + fall);
        }
      }),
    );
  });
});

describe('failures that are allowed', () => {
  test.each([
    [2, 'UP 1/3'],
    [1, 'DOWN'],
  ])('but %i: after one more it is %s', (count, position) => {
    const riseFall = new RiseFall({ rise: 2, fall: 3 });
    riseFall.record(true);
    expect(riseFall.position).toBe('UP');
    riseFall.allowFailures(count);
    riseFall.record(false);
    expect(riseFall.position).toBe(position);
  });

  test('do not raise one that has fewer, nor one that is down', () => {
    const riseFall = new RiseFall({ rise: 2, fall: 3 });
    riseFall.allowFailures(3);
    expect(riseFall.position).toBe('UP 1/3');
    riseFall.record(false);
    riseFall.allowFailures(3);
    expect(riseFall.position).toBe('DOWN');
  });
});
