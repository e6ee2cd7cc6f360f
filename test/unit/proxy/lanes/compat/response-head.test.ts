import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  endToEndTrailers,
  interimHeaders,
  readResponseHead,
} from '../../../../../src/proxy/lanes/compat/response-head.ts';

const read = (
  headers: readonly string[],
  more: { status?: number; version?: string; method?: string } = {},
) =>
  readResponseHead(more.method ?? 'GET', {
    status: more.status ?? 200,
    httpVersion: more.version ?? '1.1',
    headers,
  });

describe('the fields that go on to the client', () => {
  test.each([
    [
      ['A', '1', 'b', '2', 'a', '3'],
      ['A', '1', 'b', '2', 'a', '3'],
    ],
    [
      ['Connection', 'close', 'Keep-Alive', 'timeout=5', 'Proxy-Connection', 'x', 'X', '1'],
      ['X', '1'],
    ],
    [['TE', 'x', 'Trailer', 'Y', 'Upgrade', 'h2c', 'Transfer-Encoding', 'chunked'], []],
    [
      ['Connection', 'x-a, X-B', 'X-A', '1', 'connection', 'x-c', 'x-b', '2', 'X-C', '3', 'X-D', '4'],
      ['X-D', '4'],
    ],
    [
      [
        'Connection',
        'content-length, set-cookie, Location',
        'Content-Length',
        '1',
        'Set-Cookie',
        'a',
        'Location',
        '/',
      ],
      ['Content-Length', '1', 'Set-Cookie', 'a', 'Location', '/'],
    ],
    [
      ['Content-Length', '1', 'Content-Disposition', 'x', 'A', '1'],
      ['Content-Disposition', 'x', 'A', '1', 'Content-Length', '1'],
    ],
  ])('%j become %j', (headers, kept) => {
    expect(read(headers)).toMatchObject({ headers: kept });
  });

  test('are fields that came, in their order, whatever they are', () => {
    const token = fc.constantFrom(
      'A',
      'b',
      'Connection',
      'connection',
      'Set-Cookie',
      'Upgrade',
      'Content-Length',
    );
    const value = fc.constantFrom('', 'a', 'b, Set-Cookie', 'close', '5');
    fc.assert(
      fc.property(fc.array(fc.tuple(token, value)), (fields) => {
        const kept = interimHeaders(fields.flat());
        let at = 0;
        for (let i = 0; i < kept.length; i += 2) {
          at = fields.findIndex(([name, text], j) => j >= at && name === kept[i] && text === kept[i + 1]) + 1;
          expect(at).toBeGreaterThan(0);
        }
        expect(kept.map((name) => name.toLowerCase())).not.toContain('connection');
      }),
    );
  });

  test('of interim answers say no length', () => {
    expect(interimHeaders(['Link', 'x', 'Content-Length', '5', 'Connection', 'y', 'Y', '1'])).toEqual([
      'Link',
      'x',
    ]);
  });

  test('of trailers are none that come too late', () => {
    const late = [
      'Content-Length',
      '5',
      'Transfer-Encoding',
      'x',
      'Set-Cookie',
      'a',
      'Host',
      'h',
      'Trailer',
      't',
    ];
    expect(endToEndTrailers(['X-Sum', '1', ...late, 'x-sum', '2'])).toEqual([
      ['X-Sum', '1'],
      ['x-sum', '2'],
    ]);
  });
});

describe('the body', () => {
  test.each([
    ['has a length', ['Content-Length', '5'], {}, { bodyless: false, framed: true }],
    ['comes in chunks', ['Transfer-Encoding', 'Chunked'], {}, { bodyless: false, framed: false }],
    ['ends with the connection', [], {}, { bodyless: false, framed: false }],
    ['is none for HEAD', ['Content-Length', '5'], { method: 'HEAD' }, { bodyless: true, framed: true }],
    ['is none for 304', ['Transfer-Encoding', 'chunked'], { status: 304 }, { bodyless: true, framed: true }],
    ['is none for 204', [], { status: 204 }, { bodyless: true, contradictory: false }],
    ['of 204, empty', ['Content-Length', '0'], { status: 204 }, { headers: [], contradictory: false }],
    ['of 204, announced', ['Content-Length', '5'], { status: 204 }, { headers: [], contradictory: true }],
    ['of 204 in chunks', ['Transfer-Encoding', 'chunked'], { status: 204 }, { contradictory: true }],
  ])('%s', (_what, headers, more, expected) => {
    expect(read(headers, more)).toMatchObject(expected);
  });

  test.each([
    ['two lengths', ['Content-Length', '5', 'content-length', '5'], {}],
    ['two framings', ['Content-Length', '5', 'Transfer-Encoding', 'chunked'], {}],
    ['another coding', ['Transfer-Encoding', 'gzip'], {}],
    ['several codings', ['Transfer-Encoding', 'gzip, chunked'], {}],
    ['codings in two fields', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'], {}],
    ['chunks in HTTP/1.0', ['Transfer-Encoding', 'chunked'], { version: '1.0' }],
    ['HTTP/2.0', [], { version: '2.0' }],
    ['HTTP/0.9', [], { version: '0.9' }],
    ['an interim status', [], { status: 101 }],
  ])('with %s is refused', (_what, headers, more) => {
    expect(read(headers, more)).toHaveProperty('refused');
  });
});
