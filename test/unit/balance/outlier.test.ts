import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Evidence, type OutlierChange, Outliers } from '../../../src/balance/outlier.ts';

const RULES = { errors: 3, time: 10_000, max: 10 };

describe('a server that cannot be connected to', () => {
  test('is out at once, is tried after a second, then after two, and is back with the first success', () => {
    const outliers = new Outliers(RULES);
    expect(outliers.record('a', 'connect-failed', false, 0, 2)).toMatchObject({
      change: 'ejected',
      cause: 'connect',
      forMs: 1_000,
    });
    expect(outliers.admits('a', 999)).toBe(false);
    expect(outliers.admits('a', 1_000)).toBe(true);
    expect(outliers.begin('a', 1_000)).toBe(true);
    // One at a time.
    expect(outliers.admits('a', 1_000)).toBe(false);
    expect(outliers.record('a', 'connect-failed', true, 1_001, 2)).toBeUndefined();
    expect(outliers.admits('a', 3_000)).toBe(false);
    expect(outliers.admits('a', 3_001)).toBe(true);
    expect(outliers.begin('a', 3_001)).toBe(true);
    expect(outliers.record('a', 'good', true, 3_002, 2)).toMatchObject({ change: 'returned' });
    expect(outliers.any).toBe(false);
  });

  test('does not wait longer than five seconds for its next trial', () => {
    const outliers = new Outliers(RULES);
    outliers.record('a', 'connect-failed', false, 0, 2);
    let now = 0;
    for (let i = 0; i < 20; i++) {
      now += 5_000;
      expect(outliers.begin('a', now)).toBe(true);
      outliers.record('a', 'connect-failed', true, now, 2);
    }
  });

  test('leaves the last one alone, and any that is the only one', () => {
    const outliers = new Outliers(RULES);
    expect(outliers.record('a', 'connect-failed', false, 0, 1)).toBeUndefined();
    expect(outliers.record('a', 'connect-failed', false, 0, 3)).toBeDefined();
    expect(outliers.record('b', 'connect-failed', false, 0, 3)).toBeDefined();
    expect(outliers.record('c', 'connect-failed', false, 0, 3)).toBeUndefined();
  });
});

describe('errors', () => {
  const fail = (outliers: Outliers, times: number, now: number, chosen = 20) => {
    let last: OutlierChange | undefined;
    for (let i = 0; i < times; i++) last = outliers.record('a', 'failed', false, now, chosen);
    return last;
  };

  test('count in a row only', () => {
    const outliers = new Outliers(RULES);
    expect(fail(outliers, 2, 0)).toBeUndefined();
    outliers.record('a', 'good', false, 0, 20);
    expect(fail(outliers, 2, 0)).toBeUndefined();
    expect(fail(outliers, 1, 0)).toMatchObject({ change: 'ejected', cause: 'errors', forMs: 10_000 });
  });

  test('what clients ended is neither an error nor a success', () => {
    const outliers = new Outliers(RULES);
    fail(outliers, 2, 0);
    for (let i = 0; i < 50; i++) expect(outliers.record('a', 'unclear', false, 0, 20)).toBeUndefined();
    expect(fail(outliers, 1, 0)).toBeDefined();
  });

  test('send it away for longer each time, up to ten times as long, and for less after it was well', () => {
    const outliers = new Outliers(RULES);
    let now = 0;
    const times: number[] = [];
    for (let i = 0; i < 12; i++) {
      const out = fail(outliers, 3, now);
      times.push(out?.forMs ?? 0);
      now += out?.forMs ?? 0;
      expect(outliers.begin('a', now)).toBe(true);
      outliers.record('a', 'good', true, now, 20);
    }
    expect(times).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10].map((n) => n * 10_000));
    now += 100_001;
    outliers.record('a', 'good', false, now, 20);
    expect(fail(outliers, 3, now)).toMatchObject({ forMs: 10_000 });
  });

  test('a success of what was begun before does not bring it back, that of a trial does', () => {
    const outliers = new Outliers(RULES);
    fail(outliers, 3, 0);
    expect(outliers.record('a', 'good', false, 1, 20)).toBeUndefined();
    expect(outliers.isOut('a')).toBe(true);
    outliers.begin('a', 10_000);
    expect(outliers.record('a', 'good', true, 10_001, 20)).toMatchObject({ change: 'returned' });
  });

  test('without a number for them do not count', () => {
    const outliers = new Outliers({ ...RULES, errors: undefined });
    expect(fail(outliers, 100, 0)).toBeUndefined();
  });
});

const IDS = ['a', 'b', 'c', 'd'];

type Step =
  | { readonly kind: 'record'; readonly id: string; readonly evidence: Evidence }
  | { readonly kind: 'work'; readonly id: string; readonly evidence: Evidence }
  | { readonly kind: 'hung'; readonly id: string }
  | { readonly kind: 'forget'; readonly id: string }
  | { readonly kind: 'pass'; readonly ms: number };

const id = fc.constantFrom(...IDS);
const evidence = fc.constantFrom<Evidence>('good', 'unclear', 'connect-failed', 'failed');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('record' as const), id, evidence }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('work' as const), id, evidence }) },
  fc.record({ kind: fc.constant('hung' as const), id }),
  fc.record({ kind: fc.constant('forget' as const), id }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 40_000 }) }),
);

test('whatever happens, one is always in, no more are out than may be, and each that is out gets a trial', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 4 }), (steps, errors) => {
      const outliers = new Outliers({ errors, time: 10_000, max: 10 });
      const causes = new Map<string, string>();
      const note = (change: OutlierChange | undefined) => {
        if (change?.change === 'ejected') causes.set(change.id, change.cause);
        if (change?.change === 'returned') causes.delete(change.id);
      };
      let now = 0;
      for (const one of steps) {
        const before = new Map(causes);
        if (one.kind === 'pass') now += one.ms;
        else if (one.kind === 'hung') note(outliers.hung(one.id, 2_000, 3, now, IDS.length));
        else if (one.kind === 'forget') {
          outliers.forget(one.id);
          causes.delete(one.id);
        } else if (one.kind === 'record') {
          note(outliers.record(one.id, one.evidence, false, now, IDS.length));
        } else if (outliers.admits(one.id, now)) {
          const trial = outliers.begin(one.id, now);
          expect(trial).toBe(before.has(one.id));
          note(outliers.record(one.id, one.evidence, trial, now, IDS.length));
          if (trial && one.evidence === 'good') expect(outliers.isOut(one.id)).toBe(false);
        }
        const out = IDS.filter((server) => outliers.isOut(server));
        expect(out).toEqual(IDS.filter((server) => causes.has(server)));
        expect(outliers.any).toBe(out.length > 0);
        expect(out.length).toBeLessThan(IDS.length);
        // No more go for their errors than one of four; as hung, two.
        const fresh = out.filter((server) => !before.has(server)).map((server) => causes.get(server));
        if (fresh.includes('errors')) expect(out).toHaveLength(1);
        if (fresh.includes('hung')) expect(out.length).toBeLessThanOrEqual(2);
        for (const server of out) expect(outliers.admits(server, now + 100_000)).toBe(true);
      }
    }),
  );
});
