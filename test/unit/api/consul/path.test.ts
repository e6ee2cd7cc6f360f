import { posix } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleanPath, parseTarget } from '../../../../src/api/consul/path.ts';

test.each([
  ['/v1/agent/self', { path: '/v1/agent/self', query: '' }],
  [
    '/v1/health/service/web?passing&tag=a%20b',
    { path: '/v1/health/service/web', query: 'passing&tag=a%20b' },
  ],
  ['/v1/agent/service/a%2Fb%20c', { path: '/v1/agent/service/a/b c', query: '' }],
  ['/v1/%C3%A9', { path: '/v1/é', query: '' }],
  ['/v1/%E9', undefined],
  ['/v1/%', undefined],
  ['/v1/a%00b', undefined],
  ['/v1/a%7Fb', undefined],
  ['/v1/a%E2%80%A8b', undefined],
])('the target %s', (url, expected) => {
  expect(parseTarget(url)).toEqual(expected);
});

test('paths are cleaned as POSIX paths are', () => {
  const part = fc.constantFrom('/', '.', '..', 'a', '.a', 'a.', '');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const path = `/${parts.join('')}`;
      expect(cleanPath(path)).toBe(posix.normalize(path));
    }),
  );
});
