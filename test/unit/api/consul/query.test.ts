import { describe, expect, test } from 'vitest';
import { nodeMetaMatcher, readOptions, tagMatcher, waitOf } from '../../../../src/api/consul/query.ts';

const query = (text: string) => new URLSearchParams(text);

test.each([
  ['', 300_000],
  ['wait=', 300_000],
  ['wait=0s', 300_000],
  ['wait=-5s', 300_000],
  ['wait=500ms', 500],
  ['wait=10m', 600_000],
  ['wait=24h', 600_000],
])('%s waits %d ms', (text, ms) => {
  expect(waitOf(query(text))).toBe(ms);
});

test.each([
  ['', 0],
  ['index=', 0],
  ['index=7', 7],
  ['index=18446744073709551615', Number.MAX_SAFE_INTEGER],
])('%s is index %d', (text, index) => {
  expect(readOptions(query(text), undefined).index).toBe(index);
});

test.each([
  'index=-1',
  'index=1.5',
  'index=0x1',
  'index=18446744073709551616',
  'index=999999999999999999999',
])('%s is no index', (text) => {
  expect(() => readOptions(query(text), undefined)).toThrow('Invalid index');
});

test.each([
  ['', 'leader'],
  ['leader', 'leader'],
  ['stale=', 'stale'],
  ['max_stale=1s', 'stale'],
  ['max_stale=0s', 'leader'],
  ['consistent', 'consistent'],
])('%s reads %s', (text, consistency) => {
  expect(readOptions(query(text), undefined).consistency).toBe(consistency);
});

describe('Cache-Control', () => {
  test.each(['max-age=10', 'no-cache', 'max-age=10, stale-if-error=5', '', 'must-revalidate'])(
    '%s',
    (header) => {
      expect(() => readOptions(query('cached'), header)).not.toThrow();
    },
  );
  test.each(['max-age=x', 'no-cache, max-age', 'stale-if-error=-1'])('%s is refused', (header) => {
    expect(() => readOptions(query('cached'), header)).toThrow('Invalid Cache-Control header.');
  });
});

test.each([
  ['node-meta=zone:a', true],
  ['node-meta=zone:b', false],
  ['node-meta=zone:a&node-meta=e:', true],
  ['node-meta=e', true],
  ['node-meta=zone:', false],
  ['node-meta=url:http://x:1', true],
  ['node-meta=toString:', false],
])('%s: %s', (text, expected) => {
  expect(nodeMetaMatcher(query(text))?.({ zone: 'a', e: '', url: 'http://x:1' })).toBe(expected);
  expect(nodeMetaMatcher(query(text))?.(null)).toBe(false);
});

test('without the parameter there is nothing to match', () => {
  expect(nodeMetaMatcher(query(''))).toBe(undefined);
  expect(tagMatcher(query(''))).toBe(undefined);
});
