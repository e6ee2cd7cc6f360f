import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePeerNews, encodePeerNews } from '../../../../src/proxy/stick/peer-news.ts';

const entry = fc.record(
  {
    key: fc.string({ unit: 'grapheme', maxLength: 1_024 }),
    server: fc.string({ maxLength: 64 }),
    since: fc.integer({ min: 0, max: 2 ** 45 }),
    idle: fc.integer({ min: 0, max: 2 ** 45 }),
  },
  { requiredKeys: ['key', 'server', 'since'] },
);

test('entries come through whatever they hold, in order, in texts of a bounded length', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.array(entry, { maxLength: 300 }),
      fc.integer({ min: 1, max: 20 }),
      (backend, some, times) => {
        const entries = Array.from({ length: times }, () => some).flat();
        const texts = encodePeerNews({ backend, table: 'string 32 name', entries });
        const read = texts.map(({ text }) => decodePeerNews(text));
        expect(read.flatMap((news) => news?.entries ?? [])).toEqual(entries);
        expect(read.every((news) => news?.backend === backend && news.table === 'string 32 name')).toBe(true);
        expect(texts.map((one) => one.entries)).toEqual(read.map((news) => news?.entries.length));
        for (const { text } of texts) expect(Buffer.byteLength(text)).toBeLessThan(80 * 1024);
      },
    ),
    { numRuns: 40 },
  );
});

test.each([
  '',
  '{',
  '[]',
  '{"backend":"web","table":"ip 32 name"}',
  '{"backend":"web","table":"ip 32 name","entries":[["a","b"]]}',
  '{"backend":"web","table":"ip 32 name","entries":[["a","b",1e999,null]]}',
  '{"backend":"web","table":"ip 32 name","entries":[["a","b",1,-1]]}',
])('%s is nothing that a Vane has said', (text) => {
  expect(decodePeerNews(text)).toBeUndefined();
});
