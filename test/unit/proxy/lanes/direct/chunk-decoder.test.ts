import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyReader } from '../../../../../src/proxy/lanes/direct/body-reader.ts';
import { ChunkDecoder } from '../../../../../src/proxy/lanes/direct/chunk-decoder.ts';

/** What comes out of chunks that come in pieces: the data, the trailers, what is left behind; or where it is wrong. */
function decode(pieces: readonly string[]) {
  const decoder = new ChunkDecoder();
  let data = '';
  for (const [i, piece] of pieces.entries()) {
    // Chunks seldom start where their bytes do.
    const bytes = Buffer.from(`##${piece}`, 'latin1');
    const end = decoder.read(bytes, 2);
    if (end < 0) return 'malformed';
    data += bytes.toString('latin1', decoder.from, decoder.to);
    if (!decoder.complete) continue;
    const rest = bytes.toString('latin1', end) + pieces.slice(i + 1).join('');
    return { data, trailers: decoder.trailers, rest };
  }
  return { data, unfinished: true };
}

function cutsOf(text: string): string[][] {
  const halves = Array.from({ length: text.length + 1 }, (_, at) => [text.slice(0, at), text.slice(at)]);
  return [...halves, text.split('')];
}

describe('chunks', () => {
  test.each([
    ['0\r\n\r\n', '', [], ''],
    ['000\r\n\r\nGET', '', [], 'GET'],
    ['3\r\nabc\r\n0\r\n\r\n', 'abc', [], ''],
    ['00A\r\n0123456789\r\n1\r\n\r\r\n0\r\n\r\n', '0123456789\r', [], ''],
    ['a\r\n0123456789\r\n1\r\n\n\r\n1\r\n0\r\n0\r\n\r\n\r\n', '0123456789\n0', [], '\r\n'],
    ['2;a;b=c;d="e\\"\t;\\\\"\r\nxy\r\n0;z\r\n\r\n', 'xy', [], ''],
    ['1\r\nx\r\n0\r\nA: 1\r\nb:\r\n\r\n!', 'x', ['A', '1', 'b', ''], '!'],
  ])('%j', (text, data, trailers, rest) => {
    for (const pieces of cutsOf(text)) expect(decode(pieces)).toEqual({ data, trailers, rest });
  });

  test.each([
    'x\r\n',
    '\r\n',
    ' 2\r\nab\r\n',
    '2 \r\nab\r\n',
    '-1\r\n',
    '+1\r\na\r\n',
    '0x2\r\nab\r\n',
    '2\nab\r\n',
    '2\rab\r\n',
    '2\r\nab\n',
    '2\r\nab\rx',
    '2\r\nabc\r\n',
    '2;\r\nab\r\n',
    '2; a\r\nab\r\n',
    '2;a=\r\nab\r\n',
    '2;a="b\r\nab\r\n',
    '2;a="b"c\r\nab\r\n',
    '2;a\x01\r\nab\r\n',
    '2;a\nab\r\n',
    '2;a="\n"\r\nab\r\n',
    ';a\r\n',
    `${'f'.repeat(16)}\r\n`,
    `${'0'.repeat(17)}\r\n`,
    '20000000000000\r\n',
    `2;${'a'.repeat(5_000)}\r\n`,
    '0\r\n\rx',
    '0\r\nA: b\r\n c\r\n\r\n',
    '0\r\nA\r\n\r\n',
    '0\r\n: b\r\n\r\n',
    '0\r\nA: b\n\r\n',
    `0\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`,
  ])('%j are malformed', (text) => {
    expect(decode([text])).toBe('malformed');
    if (text.length > 100) return;
    for (const pieces of cutsOf(text)) expect(decode(pieces)).toBe('malformed');
  });

  test('the largest size is taken', () => {
    expect(decode(['1fffffffffffff\r\nab'])).toEqual({ data: 'ab', unfinished: true });
  });

  test('however a body was put into chunks and cut, it comes out whole', () => {
    const chunk = fc.tuple(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), fc.boolean());
    fc.assert(
      fc.property(fc.array(chunk), fc.array(fc.nat(), { maxLength: 8 }), (chunks, at) => {
        const sizes = chunks.map(([data, upper]) => {
          const size = data.length.toString(16);
          return `${upper ? size.toUpperCase() : `0${size};x`}\r\n${data}\r\n`;
        });
        const text = `${sizes.join('')}0\r\n\r\nrest`;
        const ends = at.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b);
        const pieces = [0, ...ends].map((start, i) => text.slice(start, ends[i] ?? text.length));
        const data = chunks.map(([each]) => each).join('');
        expect(decode(pieces)).toEqual({ data, trailers: [], rest: 'rest' });
      }),
    );
  });
});

describe('bodies by their length', () => {
  test('end where it says', () => {
    const reader = new BodyReader();
    reader.begin(5);
    expect(reader.read(Buffer.from('.abc'), 1)).toBe(4);
    expect(reader).toMatchObject({ from: 1, to: 4, complete: false });
    expect(reader.read(Buffer.from('de next'), 0)).toBe(2);
    expect(reader).toMatchObject({ from: 0, to: 2, complete: true });
    reader.begin(0);
    expect(reader.complete).toBe(true);
    expect(reader.read(Buffer.from('next'), 1)).toBe(1);
    expect(reader).toMatchObject({ from: 1, to: 1 });
  });

  test('without one, end with the connection; with one, are not whole then', () => {
    const reader = new BodyReader();
    reader.begin('close');
    expect(reader.read(Buffer.from('abc'), 0)).toBe(3);
    expect(reader.complete).toBe(false);
    reader.close();
    expect(reader.complete).toBe(true);
    for (const length of [3, 'chunked'] as const) {
      reader.begin(length);
      reader.close();
      expect(reader.complete).toBe(false);
    }
  });

  test('in chunks, tell their trailers', () => {
    const reader = new BodyReader();
    reader.begin('chunked');
    expect(reader.read(Buffer.from('1\r\na\r\n0\r\nX: y\r\n\r\n!'), 0)).toBe(17);
    expect(reader).toMatchObject({ complete: true, trailers: ['X', 'y'] });
    reader.begin(0);
    expect(reader.trailers).toEqual([]);
    reader.begin('chunked');
    expect(reader.read(Buffer.from('z'), 0)).toBe(-1);
  });
});
