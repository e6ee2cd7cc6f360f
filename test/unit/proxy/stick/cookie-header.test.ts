import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cookieValue, editCookies } from '../../../../src/proxy/stick/cookie-header.ts';

describe('the value of a cookie', () => {
  test.each<[string, string | undefined]>([
    ['SRV=a', 'a'],
    ['x=1; SRV=a; y=2', 'a'],
    ['x=1;SRV=a', 'a'],
    ['SRV=a; SRV=b', 'a'],
    ['SRV=', ''],
    ['SRV= a ;x', 'a'],
    ['SRV="a"', '"a"'],
    ['XSRV=a', undefined],
    ['SRVX=a', undefined],
    ['srv=a', undefined],
    ['x=SRV=a', undefined],
    ['x=1 SRV=a', undefined],
    ['SRV', undefined],
    ['XSRV=a; SRV=b', 'b'],
    ['', undefined],
  ])('%j', (line, value) => expect(cookieValue(['Cookie', line], 'SRV')).toBe(value));

  test('may stand in any of several fields, whatever their case', () => {
    expect(cookieValue(['cookie', 'a=1', 'Host', 'SRV=x', 'COOKIE', 'SRV=b'], 'SRV')).toBe('b');
  });
});

describe('removing a cookie', () => {
  const remove = (line: string) =>
    editCookies(['Host', 'a', 'Cookie', line, 'X', 'y'], 'SRV', () => undefined);

  test.each([
    ['a=1; SRV=x; b=2', 'a=1; b=2'],
    ['SRV=x; a=1', 'a=1'],
    ['a=1; SRV=x', 'a=1'],
    ['SRV=x; a=1; SRV=y', 'a=1'],
  ])('%j leaves %j', (line, left) => expect(remove(line)).toEqual(['Host', 'a', 'Cookie', left, 'X', 'y']));

  test('takes the field along when nothing is left in it', () => {
    expect(remove('SRV=x')).toEqual(['Host', 'a', 'X', 'y']);
    expect(remove(' SRV=x; SRV=y')).toEqual(['Host', 'a', 'X', 'y']);
  });

  test('leaves fields without it as they came, and copies nothing then', () => {
    const headers = ['Cookie', ' a=1;;b ', 'cookie', 'XSRV=1'];
    expect(editCookies(headers, 'SRV', () => undefined)).toBe(headers);
  });
});

test('other cookies and their order survive any edit, and the edited value is found again', () => {
  const token = fc.stringMatching(/^[a-z]{1,6}$/);
  const pair = fc.tuple(fc.oneof(token, fc.constant('SRV')), token);
  fc.assert(
    fc.property(fc.array(fc.array(pair, { minLength: 1 })), (lines) => {
      const headers = lines.flatMap((pairs) => ['Cookie', pairs.map((one) => one.join('=')).join('; ')]);
      const others = (from: readonly string[]) =>
        from
          .filter((_, i) => i % 2 === 1)
          .flatMap((line) => line.split('; '))
          .filter((text) => !text.startsWith('SRV='));
      expect(others(editCookies(headers, 'SRV', () => undefined))).toEqual(others(headers));
      expect(
        cookieValue(
          editCookies(headers, 'SRV', () => undefined),
          'SRV',
        ),
      ).toBeUndefined();
      const before = cookieValue(headers, 'SRV');
      const edited = editCookies(headers, 'SRV', (value) => `${value}!`);
      expect(cookieValue(edited, 'SRV')).toBe(before === undefined ? undefined : `${before}!`);
      expect(others(edited)).toEqual(others(headers));
    }),
  );
});
