import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileRegExp, PatternError } from '../../../../src/api/consul/linear-regexp.ts';

describe('a pattern matches as it does in Go', () => {
  test.each([
    ['^t', ['two', 't'], ['one', 'at']],
    ['n1$', ['web-n1'], ['n1-web', 'n12']],
    ['one|three', ['one', 'xthreex'], ['two']],
    ['^(a|bc)+$', ['a', 'bca'], ['', 'b']],
    ['a.c', ['abc', 'a☃c'], ['ac', 'a\nc']],
    ['^a{2,3}$', ['aa', 'aaa'], ['a', 'aaaa']],
    ['^a{2}$', ['aa'], ['a', 'aaa']],
    ['^a{2,}$', ['aa', 'aaaaa'], ['a']],
    ['[a-c]x', ['bx'], ['dx']],
    ['[^a-c]x', ['dx'], ['ax']],
    ['[]a]', [']', 'a'], ['b']],
    ['[[:digit:]]+', ['a1'], ['a']],
    ['^\\d+\\.\\d+$', ['1.2'], ['1x2']],
    ['\\bweb\\b', ['a web b'], ['webs']],
    ['(?i)WEB', ['web'], ['wob']],
    ['^\\pL+$', ['é'], ['1']],
    ['^\\p{Greek}$', ['α'], ['a']],
    ['v1\\-x', ['v1-x'], ['v1x']],
    ['(?:ab)*?c', ['c', 'ababc'], ['ab']],
    ['(?P<name>a)', ['a'], ['b']],
    ['', ['', 'x'], []],
  ])('%s', (pattern, matching, others) => {
    const compiled = compileRegExp(pattern);
    for (const text of matching) expect(compiled.test(text), text).toBe(true);
    for (const text of others) expect(compiled.test(text), text).toBe(false);
  });

  test('agrees with the built-in engine', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(a|b)', '(?:ab)', '^', '$');
    const part = fc
      .tuple(atom, fc.constantFrom('', '*', '+', '?', '{1,2}'))
      .map(([a, r]) => ('^$'.includes(a) ? a : a + r));
    const pattern = fc.array(
      fc.array(part, { maxLength: 4 }).map((parts) => parts.join('')),
      { minLength: 1, maxLength: 3 },
    );
    const subject = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 }).map((chars) => chars.join(''));
    fc.assert(
      fc.property(pattern, subject, (alternatives, text) => {
        const source = alternatives.join('|');
        expect(compileRegExp(source).test(text)).toBe(new RegExp(source, 's').test(text));
      }),
    );
  });
});

test.each([
  '(',
  ')',
  'a**',
  '*',
  '[a',
  'a{3,2}',
  'a{1001}',
  '(?=a)',
  '[[:nope:]]',
  '\\',
  '(a{1000}){1000}',
  '('.repeat(100),
])('%s is refused', (pattern) => {
  expect(() => compileRegExp(pattern)).toThrow(PatternError);
});

test('a pattern that makes backtracking engines hang is answered', () => {
  expect(compileRegExp('^(a+)+$').test(`${'a'.repeat(2_000)}b`)).toBe(false);
});
