import { expect, test } from 'vitest';
import {
  FAILURES,
  type FailureName,
  type FailureOutcome,
  failureLines,
  missingFailures,
} from '../helpers/drill-failure-rows.ts';

const NAMES = Object.keys(FAILURES) as FailureName[];

const outcome = (failure: FailureName, proxy = 'Vane'): FailureOutcome => ({
  ...{ failure, proxy, gets: 80, getsFailed: 1, posts: 20, postsFailed: 2, postsTwice: 0 },
  ...{ stalled: 3, p99Before: 5.4, p99During: 6.6, note: 'so' },
});

test('a run without one of the failures, or with HAProxy only, is not whole', () => {
  expect(missingFailures(NAMES.map((name) => outcome(name)))).toEqual([]);
  expect(missingFailures(NAMES.slice(1).map((name) => outcome(name)))).toEqual(NAMES.slice(0, 1));
  expect(missingFailures(NAMES.map((name) => outcome(name, 'HAProxy')))).toEqual(NAMES);
});

test('each proxy has a row for each failure, and nothing measured leaves nothing', () => {
  expect(failureLines([])).toEqual([]);
  const lines = failureLines([outcome('hung'), outcome('hung', 'HAProxy')]);
  expect(lines).toContain('| Vane | 1 of 80 | 2 of 20 | 0 | 3 | 5 | 7 | so |');
  expect(lines.filter((line) => line.startsWith('| HAProxy |'))).toHaveLength(1);
});
