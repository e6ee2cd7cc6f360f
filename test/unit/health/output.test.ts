import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { goDuration } from '../../../src/health/duration.ts';
import { capturedHead, capturedTail, Tail } from '../../../src/health/output.ts';

function tailOf(size: number, ...chunks: string[]): Tail {
  const tail = new Tail(size);
  for (const chunk of chunks) tail.write(Buffer.from(chunk));
  return tail;
}

describe('Tail', () => {
  test('keeps the last bytes, however they were written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes.map((b) => b & 0x7f)))),
        (size, chunks) => {
          const tail = new Tail(size);
          for (const chunk of chunks) tail.write(chunk);
          const all = Buffer.concat(chunks);
          expect(tail.text()).toBe(all.subarray(Math.max(0, all.length - size)).toString('latin1'));
          expect(tail.written).toBe(all.length);
        },
      ),
    );
  });

  test('does not show half a character', () => {
    expect(tailOf(4, 'aa€€').text()).toBe('€');
    expect(tailOf(6, '€€').text()).toBe('€€');
  });

  test('a tail of nothing is empty', () => {
    expect(tailOf(4).text()).toBe('');
    expect(tailOf(0, 'abc').text()).toBe('');
  });
});

test('captured script output names what is missing', () => {
  expect(capturedTail(tailOf(4, 'abcd'))).toBe('abcd');
  expect(capturedTail(tailOf(4, 'abcdef'))).toBe('Captured 4 of 6 bytes\n...\ncdef');
});

test('captured TTL output keeps its head', () => {
  expect(capturedHead('abcd', 4)).toBe('abcd');
  expect(capturedHead('abcdef', 4)).toBe('abcd ... (captured 4 of 6 bytes)');
  expect(capturedHead('a€€', 3)).toBe('a ... (captured 3 of 7 bytes)');
});

test.each([
  [0, '0s'],
  [500, '500ms'],
  [1000, '1s'],
  [1500, '1.5s'],
  [90_000, '1m30s'],
  [60_000, '1m0s'],
  [3_600_000, '1h0m0s'],
  [90_061_000, '25h1m1s'],
])('%d ms is %s', (ms, text) => {
  expect(goDuration(ms)).toBe(text);
});
