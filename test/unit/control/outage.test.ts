import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Outage } from '../../../src/control/outage.ts';

describe('Outage', () => {
  test('tells changes from what is known already', () => {
    const outage = new Outage(false, 0);
    expect(outage.record(false, 5)).toBe(false);
    expect(outage.record(true, 10)).toBe(true);
    expect(outage.record(true, 20)).toBe(false);
    expect(outage.record(false, 30)).toBe(true);
    expect(outage.record(false, 40)).toBe(false);
  });

  test('counts how often it went, not that it was not there at first', () => {
    const outage = new Outage(false, 0);
    expect(outage.read(7)).toEqual({ up: false, since: 0, downs: 0, downtime: 7 });
    outage.record(true, 10);
    expect(outage.read(25)).toEqual({ up: true, since: 10, downs: 0, downtime: 10 });
    outage.record(false, 30);
    expect(outage.read(34)).toEqual({ up: false, since: 30, downs: 1, downtime: 14 });
    outage.record(true, 40);
    expect(outage.read(99)).toEqual({ up: true, since: 40, downs: 1, downtime: 20 });
  });

  test('knows at any time how long it was away in all', () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 50 }), fc.boolean()));
    fc.assert(
      fc.property(fc.boolean(), steps, (first, steps) => {
        const outage = new Outage(first, 0);
        let now = 0;
        let up = first;
        let downtime = 0;
        let downs = 0;
        for (const [wait, next] of steps) {
          now += wait;
          if (!up) downtime += wait;
          expect(outage.read(now)).toMatchObject({ up, downs, downtime });
          expect(outage.record(next, now)).toBe(next !== up);
          if (up && !next) downs++;
          up = next;
          expect(outage.read(now)).toMatchObject({ up, downs, downtime });
        }
      }),
    );
  });
});
