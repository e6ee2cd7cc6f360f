import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gtidText, includes, mariadbGtids, mysqlGtids } from '../../../src/mysql/failover/gtid.ts';

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const OTHER = '4a22fa47-71ca-11e1-9e33-c80aa9429562';

describe('transactions of MariaDB', () => {
  test.each([
    ['more of the same', '0-1-18', '0-1-17', true],
    ['the same', '0-1-17', '0-1-17', true],
    ['less', '0-1-17', '0-1-18', false],
    // Both end in 18: it is the server that tells the two histories apart.
    ['a history that has parted', '0-1-17,0-2-18', '0-1-18', false],
    ['the other way', '0-1-18', '0-1-17,0-2-18', false],
    ['several servers', '0-1-20,0-2-18,1-3-5', '0-1-17,0-2-18', true],
  ])('%s', (_, outer, inner, expected) => {
    expect(includes(mariadbGtids(outer), mariadbGtids(inner))).toBe(expected);
  });

  test('come from the binary log and from replication together', () => {
    expect(includes(mariadbGtids('0-2-3', '0-1-17'), mariadbGtids('0-1-17'))).toBe(true);
    expect(includes(mariadbGtids('0-1-17', ''), mariadbGtids('0-1-12', '0-1-18'))).toBe(false);
  });
});

describe('transactions of MySQL', () => {
  test.each([
    ['a longer range', `${UUID}:1-18`, `${UUID}:1-17`, true],
    ['a shorter range', `${UUID}:1-17`, `${UUID}:1-18`, false],
    ['a gap', `${UUID}:1-5:7-9`, `${UUID}:6`, false],
    ['around a gap', `${UUID}:1-5:7-9`, `${UUID}:2-3:7`, true],
    ['ranges that touch', `${UUID}:1-5:6-9`, `${UUID}:4-7`, true],
    ['several servers', `${UUID}:1-5,\n${OTHER}:1-3`, `${OTHER}:1-3`, true],
    ['a server too few', `${UUID}:1-5`, `${UUID}:1-5,${OTHER}:1`, false],
    ['tags', `${UUID}:1-5:blue:1-2`, `${UUID}:blue:1-2`, true],
    ['another tag', `${UUID}:1-5:blue:1-2`, `${UUID}:green:1`, false],
  ])('%s', (_, outer, inner, expected) => {
    expect(includes(mysqlGtids(outer), mysqlGtids(inner))).toBe(expected);
  });

  test('compare as sets of numbers do', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1 });
    const written = (all: readonly number[]) => mysqlGtids(`${UUID}:${all.join(':')}`);
    fc.assert(
      fc.property(numbers, numbers, (outer, inner) => {
        expect(includes(written(outer), written(inner))).toBe(
          inner.every((number) => outer.includes(number)),
        );
      }),
    );
  });
});

test('what is not known cannot be compared, nor servers of different kinds', () => {
  expect(includes(mariadbGtids(''), mariadbGtids('0-1-1'))).toBeUndefined();
  expect(includes(mysqlGtids(''), mysqlGtids(`${UUID}:1`))).toBeUndefined();
  expect(includes(mariadbGtids('0-1-1'), mysqlGtids(`${UUID}:1`))).toBeUndefined();
});

test.each([
  [mariadbGtids('0-1-17,0-2-18', '1-1-3'), '0-1-17,0-2-18,1-1-3'],
  [mysqlGtids(`${UUID}:1-5:7,\n${OTHER}:3`), `${UUID}:1-5:7,${OTHER}:3`],
  [undefined, ''],
])('they are written as servers write them: %#', (state, text) => {
  expect(gtidText(state)).toBe(text);
});
