import { describe, expect, test } from 'vitest';
import { sameRow } from '../../../src/registry/same-row.ts';

const indexes = { createIndex: 3, modifyIndex: 7 };
const bare = Object.assign(Object.create(null), { k: 'v' });

describe('sameRow', () => {
  test.each([
    ['equal', { a: 1, b: ['x'] }, { a: 1, b: ['x'] }, true],
    ['other indexes', { a: 1 }, { a: 1, createIndex: 9, modifyIndex: 9 }, true],
    ['other order of keys', { m: { a: '1', b: '2' } }, { m: { b: '2', a: '1' } }, true],
    ['undefined or absent', { a: 1, d: undefined }, { a: 1 }, true],
    ['undefined or absent within', { d: { x: 1 } }, { d: { x: 1, y: undefined } }, true],
    ['without a prototype', { m: { k: 'v' } }, { m: bare }, true],
    ['another value', { a: 1 }, { a: 2 }, false],
    ['a field more', { a: 1 }, { a: 1, b: 0 }, false],
    ['a field less', { a: 1, b: 0 }, { a: 1 }, false],
    ['another field', { a: 1 }, { b: 1 }, false],
    ['null or empty', { m: null }, { m: {} }, false],
    ['a longer list', { t: ['x'] }, { t: ['x', 'y'] }, false],
    ['another order of a list', { t: ['x', 'y'] }, { t: ['y', 'x'] }, false],
    ['a list or a map', { t: ['x'] }, { t: { 0: 'x' } }, false],
    ['an index deeper down is a field', { m: { createIndex: '1' } }, { m: { createIndex: '2' } }, false],
  ])('%s', (_name, stored, row, same) => {
    expect(sameRow({ ...stored, ...indexes }, row)).toBe(same);
  });
});
