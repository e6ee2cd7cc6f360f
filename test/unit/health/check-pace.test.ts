import { describe, expect, test } from 'vitest';
import { checkEvery, pauseAfter } from '../../../src/health/check-pace.ts';
import { RiseFall } from '../../../src/health/threshold.ts';

const check = { inter: 2_000, fastinter: 500, downinter: 9_000, fall: 3, rise: 2, port: undefined };

describe('the time between checks', () => {
  test.each([
    ['a new server', '', 500],
    ['one that is up for sure', '+', 2_000],
    ['one that is about to fall', '+-', 500],
    ['one that has recovered', '+-+', 2_000],
    ['one that is down', '+---', 9_000],
    ['one that is about to rise', '+---+', 500],
  ])('%s', (_, results, every) => {
    const riseFall = new RiseFall(check);
    for (const result of results) riseFall.record(result === '+');
    expect(checkEvery(check, riseFall)).toBe(every);
    expect(checkEvery({ inter: 7, fall: 3, rise: 2, port: undefined }, riseFall)).toBe(7);
  });

  test.each([
    ['goes from start to start', 2_000, 300, 0, 0.9, 1_700],
    ['is over when a check has taken longer', 2_000, 2_500, 0, 0.9, 0],
    ['is spread both ways', 2_000, 0, 50, 0, 1_000],
    ['about itself', 2_000, 0, 50, 0.5, 2_000],
    ['by so many percent', 2_000, 0, 50, 0.75, 2_500],
  ])('%s', (_, every, took, spread, random, pause) => {
    expect(pauseAfter(every, took, spread, random)).toBe(pause);
  });
});
