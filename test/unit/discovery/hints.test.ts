import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatHints, HINT_LASTS_MS, type Hint, hintKey, parseHints } from '../../../src/discovery/hints.ts';
import { endpoint } from './scripted-resolver.ts';

const WALL = Date.UTC(2026, 10, 25);
const KEY = hintKey({ resolvers: 'corp', domain: 'web.example.com', port: 80 });

function written(at: number): string {
  return formatHints(new Map([[KEY, { at, endpoints: [endpoint('10.0.0.1')] }]]), at);
}

test('what is written is what is read', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/);
  const name = fc.record({
    resolvers: word,
    domain: word,
    port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
  });
  const hint = fc.record({
    at: fc.integer({ min: WALL - HINT_LASTS_MS + 1, max: WALL }),
    endpoints: fc
      .uniqueArray(fc.integer({ min: 1, max: 254 }), { minLength: 1 })
      .map((ns) => ns.map((n) => endpoint(`10.0.0.${n}`))),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(name, hint)), (entries) => {
      const hints = new Map<string, Hint>(entries.map(([name, hint]) => [hintKey(name), hint]));
      expect(parseHints(formatHints(hints, WALL), WALL)).toEqual(hints);
    }),
  );
});

test('a hint is good for a day, and one from the future for nothing', () => {
  expect(parseHints(written(WALL), WALL + HINT_LASTS_MS - 1).has(KEY)).toBe(true);
  expect(parseHints(written(WALL), WALL + HINT_LASTS_MS).has(KEY)).toBe(false);
  expect(parseHints(written(WALL), WALL - 1).has(KEY)).toBe(false);
});

test('too many are cut, the youngest stay', () => {
  const endpoints = Array.from({ length: 1_000 }, (_, i) => endpoint(`10.0.${i >> 8}.${i & 255}`));
  const hints = new Map(
    Array.from({ length: 30 }, (_, i) => {
      const key = hintKey({ resolvers: 'corp', domain: `web-${i}`, port: 80 });
      return [key, { endpoints, at: WALL - i }] as const;
    }),
  );
  const kept = parseHints(formatHints(hints, WALL), WALL);
  expect([...kept.keys()]).toEqual([...hints.keys()].slice(0, 20));
});

test('servers that would not be read are not written, and spoil nothing', () => {
  const good = endpoint('10.0.0.1');
  const hints = new Map<string, Hint>([
    [KEY, { at: WALL, endpoints: [good, endpoint('db.example.com'), { ...good, name: 'x'.repeat(513) }] }],
    [
      hintKey({ resolvers: 'c1', domain: 'db', port: 80 }),
      { at: WALL, endpoints: [endpoint('db.example.com')] },
    ],
  ]);
  const read = parseHints(formatHints(hints, WALL), WALL);
  expect(read).toEqual(new Map([[KEY, { at: WALL, endpoints: [good] }]]));
});

describe('a file that is not as it should be is refused as a whole:', () => {
  const good = { address: '10.0.0.1', port: 80, weight: 1, priority: 0, name: 'a' };
  const file = (change: object, more: object = {}) =>
    JSON.stringify({
      version: 1,
      names: [{ name: ['corp', 'web', 80], at: WALL, endpoints: [{ ...good, ...change }], ...more }],
    });

  test('one that is, is not', () => expect(parseHints(file({}), WALL).size).toBe(1));

  test.each([
    ['', 'JSON'],
    [written(WALL).slice(0, -20), 'JSON'],
    ['[]', 'not an object'],
    ['{"version":2,"names":[]}', 'its version is 2, not 1'],
    ['{"version":1}', 'no list of names'],
    [file({ address: 'evil.example.com' }), 'web has a server that is none'],
    [file({ port: 0 }), 'web has a server that is none'],
    [file({ port: 80.5 }), 'web has a server that is none'],
    [file({ weight: -1 }), 'web has a server that is none'],
    [file({ name: '' }), 'web has a server that is none'],
    [file({}, { at: 'now' }), 'web has no time'],
    [file({}, { endpoints: [] }), 'web has no servers'],
    [file({}, { name: ['corp', 'web'] }), 'no proper name'],
  ])('%#', (text, message) => expect(() => parseHints(text, WALL)).toThrow(message));

  test('whatever bytes there are, it throws an Error or reads them', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((v) => JSON.stringify({ version: 1, names: v })),
        ),
        (text) => {
          try {
            expect(parseHints(text, WALL)).toBeInstanceOf(Map);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        },
      ),
    );
  });
});
