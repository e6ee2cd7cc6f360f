import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { originForm, parseTarget } from '../../../../src/proxy/request/target.ts';

describe('request-targets (RFC 9112, section 3.2)', () => {
  const NONE = { authority: undefined, defaultPort: undefined };
  const HTTP = { authority: 'a.example', defaultPort: '80' };
  test.each([
    ['GET', '/', { originForm: '/', path: '/', ...NONE }],
    ['GET', '/a/b?c=d?e', { originForm: '/a/b?c=d?e', path: '/a/b', ...NONE }],
    ['GET', '/?', { originForm: '/?', path: '/', ...NONE }],
    ['GET', '//a//b', { originForm: '//a//b', path: '//a//b', ...NONE }],
    ['GET', '/%2e%2E/%00', { originForm: '/%2e%2E/%00', path: '/%2e%2E/%00', ...NONE }],
    ['GET', '/"<>\\^`{|}', { originForm: '/"<>\\^`{|}', path: '/"<>\\^`{|}', ...NONE }],
    ['GET', '/http://x/', { originForm: '/http://x/', path: '/http://x/', ...NONE }],
    ['OPTIONS', '*', { originForm: '*', path: '*', ...NONE }],
    ['GET', 'http://a.example/x?y', { originForm: '/x?y', path: '/x', ...HTTP }],
    ['GET', 'HTTP://a.example/', { originForm: '/', path: '/', ...HTTP }],
    ['GET', 'http://a.example', { originForm: '/', path: '/', ...HTTP }],
    ['GET', 'http://a.example?x', { originForm: '/?x', path: '/', ...HTTP }],
    ['OPTIONS', 'http://a.example', { originForm: '*', path: '*', ...HTTP }],
    ['OPTIONS', 'http://a.example/', { originForm: '/', path: '/', ...HTTP }],
    [
      'GET',
      'https://[::1]:8443/x',
      { originForm: '/x', path: '/x', authority: '[::1]:8443', defaultPort: '443' },
    ],
    // An @ behind the authority is nobody's name.
    ['GET', 'http://a.example/@b', { originForm: '/@b', path: '/@b', ...HTTP }],
  ] as const)('%s %s', (method, target, expected) => {
    expect(parseTarget(method, target)).toEqual(expected);
  });

  test.each([
    ['nothing', 'GET', ''],
    ['a name', 'GET', 'a'],
    ['the whole server, not by OPTIONS', 'GET', '*'],
    ['the whole server and more', 'OPTIONS', '*x'],
    ['an authority (CONNECT)', 'CONNECT', 'a.example:443'],
    ['another scheme', 'GET', 'ftp://a.example/'],
    ['a script', 'GET', 'javascript:alert(1)'],
    ['no authority', 'GET', 'http:///x'],
    ['no authority but a query', 'GET', 'http://?x'],
    ['one slash', 'GET', 'http:/a.example/'],
    ['userinfo', 'GET', 'http://user@a.example/'],
    ['userinfo with a password', 'GET', 'http://user:x@a.example/'],
    ['a fragment', 'GET', '/a#b'],
    ['a fragment of an absolute one', 'GET', 'http://a.example/#b'],
    ['a blank', 'GET', '/a b'],
    ['a tab', 'GET', '/a\tb'],
    ['a line end', 'GET', '/a\r\nX: y'],
    ['a line end behind it', 'GET', '/\n'],
    ['a NUL', 'GET', '/\0'],
    ['a DEL', 'GET', '/\x7f'],
    ['an octet above ASCII', 'GET', '/\xe9'],
    ['a letter above ASCII', 'GET', '/é→'],
  ])('%s is refused', (_what, method, target) => {
    expect(parseTarget(method, target)).toBeUndefined();
  });

  test('what goes to a server begins with the path that rules see, and adds at most the query', () => {
    const target = fc
      .tuple(
        fc.constantFrom('', 'http://a.example', 'https://[::1]:1'),
        fc.stringMatching(/^\/[!$-~]*$/),
        fc.option(fc.stringMatching(/^\?[!$-~]*$/), { nil: '' }),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(target, (target) => {
        const parsed = parseTarget('GET', target);
        if (!parsed) throw new Error('refused');
        expect(target.endsWith(parsed.originForm)).toBe(true);
        expect(parsed.originForm.split('?')[0]).toBe(parsed.path);
        expect(parsed.path.startsWith('/')).toBe(true);
        // Read again by the server it is the same.
        expect(parseTarget('GET', parsed.originForm)).toMatchObject({ path: parsed.path });
      }),
    );
  });
});

test('a target that only our own rules have made goes as it is', () => {
  expect(originForm({ method: 'GET', target: '/Z\xc3\xbcrich?x' })).toBe('/Z\xc3\xbcrich?x');
  expect(originForm({ method: 'GET', target: 'http://a.example/x' })).toBe('/x');
});
