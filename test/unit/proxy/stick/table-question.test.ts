import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StickTableConfig } from '../../../../src/config/runtime/stickiness.ts';
import { type StickEntry, StickTable } from '../../../../src/proxy/stick/stick-table.ts';
import { answerFor, mergeAnswers, type StickFilter } from '../../../../src/proxy/stick/table-question.ts';

const CONFIG: StickTableConfig = {
  type: 'string',
  length: 32,
  size: 100,
  expire: 1_000,
  nopurge: false,
  serverKey: 'name',
};

function filled(entries: readonly (readonly [key: string, server: string])[], expire = 1_000): StickTable {
  const table = new StickTable({ ...CONFIG, expire });
  for (const [i, [key, server]] of entries.entries()) table.put(key, server, i, i);
  return table;
}

const show = (table: StickTable, which: StickFilter = {}, limit = 10, now = 10) =>
  answerFor(table, { do: 'show', which, limit }, now);

describe('what is asked of a table', () => {
  const entries = [
    ['a', 's1'],
    ['b', 's2'],
    ['c', 's1'],
    ['d', 's1'],
  ] as const;

  test.each<[StickFilter, number, readonly string[]]>([
    [{}, 10, ['d', 'c', 'b', 'a']],
    [{}, 2, ['d', 'c']],
    [{}, 0, []],
    [{ server: 's1' }, 2, ['d', 'c']],
    [{ server: 's3' }, 10, []],
    [{ key: 'a' }, 10, ['a']],
    [{ key: 'a', server: 's2' }, 10, []],
    [{ key: 'z' }, 10, []],
  ])('%j of it, at most %i', (which, limit, keys) => {
    const answer = show(filled(entries), which, limit);
    expect(answer.entries.map(({ key }) => key)).toEqual(keys);
    expect(answer).toMatchObject({ used: 4, cleared: 0 });
  });

  test.each<[StickFilter, number, readonly string[]]>([
    [{}, 4, []],
    [{ server: 's1' }, 3, ['b']],
    [{ key: 'b' }, 1, ['d', 'c', 'a']],
    [{ key: 'b', server: 's1' }, 0, ['d', 'c', 'b', 'a']],
  ])('%j of it cleared', (which, cleared, left) => {
    const table = filled(entries);
    expect(answerFor(table, { do: 'clear', which, limit: 10 }, 10)).toEqual({
      used: 4,
      entries: [],
      cleared,
    });
    expect(show(table).entries.map(({ key }) => key)).toEqual(left);
  });

  test('is told with the time it has left, and not when that is over', () => {
    expect(show(filled(entries), { key: 'a' }, 1, 400).entries).toEqual([
      { key: 'a', server: 's1', since: 0, expiresIn: 600 },
    ]);
    expect(show(filled(entries), {}, 10, 1_001)).toMatchObject({ used: 2 });
    expect(show(filled(entries, 0), { key: 'a' }, 1, 1e9).entries).toMatchObject([{ expiresIn: undefined }]);
  });
});

test('what several tables tell is what one would that has learnt from all', () => {
  const step = fc.record({
    at: fc.nat({ max: 1 }),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    server: fc.constantFrom('s1', 's2'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.nat({ max: 5 }), (steps, limit) => {
      const tables = [new StickTable(CONFIG), new StickTable(CONFIG)];
      const whole = new StickTable(CONFIG);
      for (const [i, { at, key, server }] of steps.entries()) {
        // An entry that is used again is told of late, or not at all: only the tables know when that was.
        const told: StickEntry = tables[at]?.put(key, server, i, i) ?? { key, server, since: 0 };
        whole.learn(told, i);
      }
      const answers = tables.map((table) => show(table, {}, 100, 50));
      const merged = mergeAnswers(answers, limit);
      const expected = show(whole, {}, limit, 50).entries;
      expect(merged?.entries.map(({ key, expiresIn }) => ({ key, expiresIn }))).toEqual(
        expected.map(({ key, expiresIn }) => ({ key, expiresIn })),
      );
      for (const { key, since } of merged?.entries ?? []) {
        const own = answers.flatMap(({ entries }) => entries).filter((entry) => entry.key === key);
        expect(since).toBe(Math.max(...own.map((entry) => entry.since)));
      }
    }),
  );
});

test('planes without such a table tell nothing', () => {
  expect(mergeAnswers([], 10)).toBeUndefined();
  expect(mergeAnswers([undefined, undefined], 10)).toBeUndefined();
  expect(mergeAnswers([undefined, show(filled([['a', 's1']]))], 10)).toMatchObject({ used: 1 });
});
