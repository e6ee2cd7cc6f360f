import { expect, test } from 'vitest';
import { hashText } from '../../../../src/balance/hash.ts';
import { parseBalance } from '../../../../src/config/balance-line.ts';
import { hashKey } from '../../../../src/proxy/request/hash-key.ts';

const hash = { type: 'map-based', function: 'crc32', avalanche: false, key: 'id', balanceFactor: 0 } as const;

function keyOf(balance: string, target: string, headers: readonly string[] = []): number | undefined {
  const words = parseBalance(balance);
  if (!words.ok || words.value.kind !== 'hash') throw new Error(`no hash: ${balance}`);
  const head = { target, path: target.split('?')[0] ?? '', headers };
  return hashKey({ ...words.value, hash }, '10.0.0.7', head);
}

test.each<[string, string, string]>([
  ['source', '/', '10.0.0.7'],
  ['uri', '/a/b?c=d', '/a/b'],
  ['uri whole', '/a/b?c=d', '/a/b?c=d'],
  ['uri len 3', '/a/b', '/a/'],
  ['uri depth 1', '/a/b/c', '/a'],
  ['uri depth 2', '/a/b/c', '/a/b'],
  ['uri depth 9', '/a/b/c', '/a/b/c'],
  ['url_param user', '/?user=ann&x=1', 'ann'],
  ['url_param user', '/?superuser=root&user=ann', 'ann'],
  ['url_param user', '/?user=&user=ann', 'ann'],
])('%s of %s is %s', (balance, target, text) => {
  expect(keyOf(balance, target)).toBe(hashText(text, 'crc32', false));
});

test('a header is found whatever its case, and only the first of several counts', () => {
  const headers = ['Host', 'a', 'x-USER', 'ann', 'X-User', 'bob'];
  expect(keyOf('hdr(X-User)', '/', headers)).toBe(hashText('ann', 'crc32', false));
});

test.each<[string, string]>([
  ['url_param user', '/'],
  ['url_param user', '/user=ann'],
  ['url_param user', '/?user='],
  ['hdr(x-user)', '/'],
])('%s has nothing to go by in %s', (balance, target) => {
  expect(keyOf(balance, target)).toBeUndefined();
});

test('a connection that is no HTTP has only its source', () => {
  const source = { kind: 'hash', by: { kind: 'source' }, hash } as const;
  expect(hashKey(source, '10.0.0.7', undefined)).toBe(hashText('10.0.0.7', 'crc32', false));
  expect(hashKey({ ...source, by: { kind: 'hdr', name: 'host' } }, '10.0.0.7', undefined)).toBeUndefined();
  expect(hashKey({ kind: 'roundrobin' }, '10.0.0.7', undefined)).toBeUndefined();
});

test.each<[string, number]>([
  ['', 0],
  ['123456789', 0xcbf43926],
])('the CRC-32 of %j is that of the standard', (text, crc) => {
  expect(hashText(text, 'crc32', false)).toBe(crc);
});
