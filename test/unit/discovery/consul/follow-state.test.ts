import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type FollowState,
  longestAnswer,
  NOT_FOLLOWED,
  type Outcome,
  step,
} from '../../../../src/discovery/consul/follow-state.ts';

const WAIT = 30_000;
const at = (index: number, more: Partial<FollowState> = {}): FollowState => ({
  ...NOT_FOLLOWED,
  index,
  ...more,
});
const answer = (index: number | undefined, took = WAIT): Outcome => ({
  kind: 'answer',
  index,
  took,
  wait: WAIT,
});
const failure = (busy = false): Outcome => ({ kind: 'failure', busy });

describe('indexes', () => {
  test.each<[string, FollowState, Outcome, number, boolean, number]>([
    ['a first answer is news, and waited on from its index', at(0), answer(7, 3), 7, true, 97],
    ['a higher index after a long wait is followed at once', at(7), answer(9, 5_000), 9, true, 0],
    ['changes that come close together are taken together', at(7), answer(9, 30), 9, true, 70],
    ['the same index after the whole wait is no news', at(7), answer(7, WAIT + 900), 7, false, 0],
    ['an index that went backwards is forgotten', at(7), answer(3, WAIT), 0, true, 100],
    ['an index of 0 cannot be waited for', at(7), answer(0), 0, true, 1_000],
    ['nor can one that is missing', at(7), answer(undefined), 0, true, 1_000],
    ['nor one that is too large for a number', at(7), answer(2 ** 60), 0, true, 1_000],
  ])('%s', (_, state, outcome, index, news, pause) => {
    const next = step(state, outcome, 1, 0.5);
    expect([next.state.index, next.news, next.pause]).toEqual([index, news, pause]);
  });

  test('whoever answers early without news is asked ever less often, until there is news', () => {
    const pauses: number[] = [];
    let state = at(7);
    for (let i = 0; i < 8; i++) {
      const next = step(state, answer(7, 1), 1, 0.5);
      pauses.push(next.pause);
      state = next.state;
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect(step(state, answer(8, 200), 1, 0.5)).toMatchObject({ pause: 0, state: { idle: 0 } });
  });

  test('two servers whose indexes alternate do not have each other asked without a pause', () => {
    let state = at(20);
    const pauses = [];
    for (const index of [10, 20, 10, 20, 10, 20, 10]) {
      const next = step(state, answer(index, 1), 1, 0.5);
      pauses.push(next.pause);
      state = next.state;
    }
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(400);
  });
});

describe('failures', () => {
  test('all addresses have their turn before there is a pause', () => {
    const first = step(at(7), failure(), 3, 0.5);
    const second = step(first.state, failure(), 3, 0.5);
    const third = step(second.state, failure(), 3, 0.5);
    expect([first.pause, second.pause, third.pause]).toEqual([0, 0, 75]);
  });

  test.each([
    [false, 1_000],
    [true, 10_000],
  ])('pauses double up to a limit (busy: %s), with jitter', (busy, cap) => {
    const pauses = (random: number) =>
      [0, 1, 2, 3, 20, 2_000].map((n) => step(at(0, { failures: n }), failure(busy), 1, random).pause);
    expect(pauses(0)).toEqual([50, 100, 200, Math.min(400, cap / 2), cap / 2, cap / 2]);
    for (const pause of pauses(0.999_999)) expect(pause).toBeLessThanOrEqual(cap);
  });

  test('an answer ends them', () => {
    expect(step(at(0, { failures: 9 }), answer(4, 500), 1, 0.5).state.failures).toBe(0);
  });
});

const outcomes = fc.oneof(
  fc.record<Outcome & { kind: 'answer' }>({
    kind: fc.constant('answer'),
    index: fc.option(fc.oneof(fc.integer({ min: -2, max: 50 }), fc.double()), { nil: undefined }),
    took: fc.nat(WAIT * 2),
    wait: fc.constant(WAIT),
  }),
  fc.record<Outcome & { kind: 'failure' }>({ kind: fc.constant('failure'), busy: fc.boolean() }),
);

test('whatever comes, indexes are 0 or what was answered last, and pauses are bounded', () => {
  fc.assert(
    fc.property(
      fc.array(outcomes, { maxLength: 60 }),
      fc.integer({ min: 1, max: 5 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (all, places, random) => {
        let state = NOT_FOLLOWED;
        for (const outcome of all) {
          const before = state;
          const next = step(state, outcome, places, random);
          state = next.state;
          expect(next.pause).toBeGreaterThanOrEqual(0);
          expect(next.pause).toBeLessThanOrEqual(10_000);
          const said = outcome.kind === 'answer' ? outcome.index : 0;
          expect([0, said]).toContain(state.index);
          if (outcome.kind === 'failure') expect(state.index).toBe(0);
          // What is held to be known already is only ever what the very same index stood for.
          if (!next.news && outcome.kind === 'answer') expect(said).toBe(before.index);
          // Nothing is asked again and again without a pause, unless it waits at the other side or is a fail-over.
          const waited = outcome.kind === 'answer' && outcome.took >= 100;
          if (!waited && outcome.kind === 'answer') expect(next.pause).toBeGreaterThan(0);
        }
      },
    ),
  );
});

test('an answer may take a sixteenth longer than the wait, and a margin', () => {
  expect(longestAnswer(32_000, 10_000)).toBe(44_000);
});
