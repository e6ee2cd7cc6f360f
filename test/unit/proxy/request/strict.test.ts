import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_HEADERS, readFraming } from '../../../../src/proxy/request/strict.ts';
import { parseTarget } from '../../../../src/proxy/request/target.ts';

type Fields = readonly (readonly [name: string, value: string])[];

const HOST = ['Host', 'a.example'] as const;

function framing(fields: Fields, { method = 'POST', target = '/', version = '1.1' } = {}) {
  return readFraming(version, parseTarget(method, target), fields.flat());
}

const refusal = (what: string) => ({ refused: expect.stringContaining(what) });

describe('the length of a body', () => {
  test.each([
    [[], 0],
    [[['Content-Length', '0']], 0],
    [[['Content-Length', '5']], 5],
    [[['content-length', '005']], 5],
    [[['Content-Length', '999999999999999']], 999_999_999_999_999],
    [[['Transfer-Encoding', 'chunked']], 'chunked'],
    [[['TRANSFER-ENCODING', 'Chunked']], 'chunked'],
  ] as const)('%j: %s', (fields, body) => {
    expect(framing([HOST, ...fields])).toEqual({ host: 'a.example', body });
  });

  test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'POST', 'PURGE'])(
    'does not depend on the method: %s',
    (method) => {
      expect(framing([HOST, ['Transfer-Encoding', 'chunked']], { method })).toMatchObject({
        body: 'chunked',
      });
      expect(framing([HOST, ['Content-Length', '5']], { method })).toMatchObject({ body: 5 });
    },
  );
});

describe('what two readers could frame differently is refused (RFC 9112, section 6)', () => {
  const TE = ['Transfer-Encoding', 'chunked'] as const;
  test.each<[string, Fields, string, { version?: string }?]>([
    ['CL.TE', [['Content-Length', '5'], TE], 'both'],
    ['TE.CL', [TE, ['Content-Length', '5']], 'both'],
    ['an empty length beside chunks', [['Content-Length', ''], TE], 'both'],
    ['TE.TE, the second unknown', [TE, ['Transfer-Encoding', 'cow']], 'not chunked'],
    ['TE.TE, the first unknown', [['Transfer-Encoding', 'cow'], TE], 'not chunked'],
    ['chunks said twice', [TE, TE], 'not chunked'],
    ['chunks said twice in one line', [['Transfer-Encoding', 'chunked, chunked']], 'not chunked'],
    ['a coding before the chunks', [['Transfer-Encoding', 'gzip, chunked']], 'not chunked'],
    ['a coding behind the chunks', [['Transfer-Encoding', 'chunked, identity']], 'not chunked'],
    ['identity', [['Transfer-Encoding', 'identity']], 'not chunked'],
    ['an empty coding', [['Transfer-Encoding', '']], 'not chunked'],
    ['a blank before the coding', [['Transfer-Encoding', ' chunked']], 'not chunked'],
    ['a tab before the coding', [['Transfer-Encoding', '\tchunked']], 'not chunked'],
    ['a vertical tab before the coding', [['Transfer-Encoding', '\x0bchunked']], 'bad octet'],
    ['a coding in quotes', [['Transfer-Encoding', '"chunked"']], 'not chunked'],
    ['a parameter of the coding', [['Transfer-Encoding', 'chunked;a=b']], 'not chunked'],
    ['a coding prefixed with x', [['Transfer-Encoding', 'xchunked']], 'not chunked'],
    ['chunks before HTTP/1.1', [TE], 'before HTTP/1.1', { version: '1.0' }],
    [
      'two lengths',
      [
        ['Content-Length', '5'],
        ['Content-Length', '6'],
      ],
      'bad Content-Length',
    ],
    [
      'one length twice',
      [
        ['Content-Length', '5'],
        ['Content-Length', '5'],
      ],
      'bad Content-Length',
    ],
    ['a list of lengths', [['Content-Length', '5, 5']], 'bad Content-Length'],
    ['an empty length (CVE-2023-40225)', [['Content-Length', '']], 'bad Content-Length'],
    ['a signed length', [['Content-Length', '+5']], 'bad Content-Length'],
    ['a negative length', [['Content-Length', '-1']], 'bad Content-Length'],
    ['a fraction', [['Content-Length', '5.0']], 'bad Content-Length'],
    ['hexadecimal', [['Content-Length', '0x5']], 'bad Content-Length'],
    ['an exponent', [['Content-Length', '1e1']], 'bad Content-Length'],
    ['a blank before the length', [['Content-Length', ' 5']], 'bad Content-Length'],
    ['a blank in the length', [['Content-Length', '5 5']], 'bad Content-Length'],
    ['a length that numbers cannot hold', [['Content-Length', '9999999999999999']], 'bad Content-Length'],
    ['an empty name (CVE-2023-25725)', [['', 'x']], 'bad header name'],
    ['a blank before the colon', [['Transfer-Encoding ', 'chunked']], 'bad header name'],
    ['a folded line', [[' Transfer-Encoding', 'chunked']], 'bad header name'],
    ['a NUL in a name', [['X\0', 'x']], 'bad header name'],
    ['a colon in a name', [['X:Y', 'x']], 'bad header name'],
    ['an octet above ASCII in a name', [['Transfer-Encod\xefng', 'chunked']], 'bad header name'],
    ['CR LF in a value', [['X', 'a\r\nContent-Length: 5']], 'bad octet'],
    ['a bare CR in a value', [['X', 'a\rb']], 'bad octet'],
    ['a bare LF in a value', [['X', 'a\nb']], 'bad octet'],
    ['a LF at the end of a value', [['Content-Length', '5\n']], 'bad octet'],
    ['a NUL in a value', [['X', 'a\0b']], 'bad octet'],
    ['a DEL in a value', [['X', 'a\x7fb']], 'bad octet'],
    ['what no octet can be', [['X', '\u{212a}']], 'bad octet'],
  ])('%s', (_what, fields, why, options = {}) => {
    expect(framing([HOST, ...fields], options)).toEqual(refusal(why));
  });

  test('a letter that lower case makes a k is none', () => {
    expect(framing([HOST, ['Transfer-Encoding', 'chun\u{212a}ed']])).toEqual(refusal('bad octet'));
  });

  test('as many fields as are allowed, and one more', () => {
    const fields = Array.from({ length: MAX_HEADERS - 1 }, (_, i) => [`X-${i}`, ''] as const);
    expect(framing([HOST, ...fields])).toMatchObject({ body: 0 });
    expect(framing([HOST, ...fields, ['X', '']])).toEqual(refusal(`more than ${MAX_HEADERS}`));
  });

  test('a field named like what objects have already is one like any other', () => {
    expect(framing([HOST, ['__proto__', 'x'], ['constructor', 'y']])).toMatchObject({ body: 0 });
  });
});

describe('whom a request is for (RFC 9112, section 3.2)', () => {
  test.each<[string, Fields, object, string | undefined]>([
    ['its Host', [HOST], {}, 'a.example'],
    ['a Host with a port', [['Host', 'a.example:8080']], {}, 'a.example:8080'],
    ['an address', [['Host', '192.0.2.1']], {}, '192.0.2.1'],
    ['an IPv6 address', [['Host', '[2001:db8::1]:80']], {}, '[2001:db8::1]:80'],
    ['an empty Host', [['Host', '']], {}, ''],
    ['none, in HTTP/1.0', [], { version: '1.0' }, ''],
    ['none, in HTTP/1.1', [], {}, undefined],
    ['two', [HOST, HOST], {}, undefined],
    ['two in one line', [['Host', 'a.example, b.example']], {}, undefined],
    ['userinfo', [['Host', 'user@a.example']], {}, undefined],
    ['a path', [['Host', 'a.example/x']], {}, undefined],
    ['a query', [['Host', 'a.example?x']], {}, undefined],
    ['a backslash', [['Host', 'a.example\\@b']], {}, undefined],
    ['a blank', [['Host', 'a example']], {}, undefined],
    ['a port that is none', [['Host', 'a.example:x']], {}, undefined],
    ['two ports', [['Host', 'a.example:80:81']], {}, undefined],
    ['a bracket too few', [['Host', '[::1']], {}, undefined],
    ['the target, with the same Host', [HOST], { target: 'http://a.example/' }, 'a.example'],
    ['the target, in another case', [HOST], { target: 'http://A.Example/' }, 'A.Example'],
    ['the target, another than Host', [HOST], { target: 'http://b.example/' }, undefined],
    ['the target, with a blank Host', [['Host', '']], { target: 'http://a.example/' }, undefined],
    ['the target alone, in HTTP/1.0', [], { target: 'http://a.example/', version: '1.0' }, 'a.example'],
    ['the target alone, in HTTP/1.1', [], { target: 'http://a.example/' }, undefined],
    ['the port that http means, in the target', [HOST], { target: 'http://a.example:80/' }, 'a.example:80'],
    [
      'the port that https means, in Host',
      [['Host', 'a.example:443']],
      { target: 'https://a.example/' },
      'a.example',
    ],
    ['the port of the other scheme', [HOST], { target: 'http://a.example:443/' }, undefined],
    ['another port', [HOST], { target: 'http://a.example:8080/' }, undefined],
    [
      'an IPv6 target with the port that http means',
      [['Host', '[::1]']],
      { target: 'http://[::1]:80/' },
      '[::1]:80',
    ],
    ['an IPv6 address that ends like a port', [['Host', '[::80]']], { target: 'http://[::80]/' }, '[::80]'],
    ['a bad authority', [], { target: 'http://a_b c/', version: '1.0' }, undefined],
    ['an authority with a backslash', [], { target: 'http://a\\b/', version: '1.0' }, undefined],
  ])('%s', (_what, fields, options, host) => {
    const read = framing(fields, options);
    if (host === undefined) expect(read).toHaveProperty('refused');
    else expect(read).toMatchObject({ host });
  });

  test('a target that was not understood is refused', () => {
    expect(readFraming('1.1', undefined, HOST)).toEqual(refusal('request-target'));
  });
});

describe('whatever comes', () => {
  const octet = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const text = fc.oneof(fc.string({ unit: octet }), fc.constantFrom('chunked', '5', '0', 'a.example', ''));
  const name = fc.oneof(
    fc.constantFrom('Host', 'host', 'Content-Length', 'content-length', 'Transfer-Encoding', 'X'),
    fc.string({ unit: octet, maxLength: 3 }),
  );
  const fields = fc.array(fc.tuple(name, text), { maxLength: 6 });
  const version = fc.constantFrom('1.0', '1.1');

  test('what is taken has one host, one kind of framing, and nothing that could end a line', () => {
    fc.assert(
      fc.property(fields, version, (fields, version) => {
        const read = framing(fields, { version });
        if ('refused' in read) return;
        const all = (wanted: string) => fields.filter(([name]) => name.toLowerCase() === wanted);
        const lengths = all('content-length');
        const codings = all('transfer-encoding');
        expect(all('host').length).toBeLessThanOrEqual(1);
        expect(lengths.length + codings.length).toBeLessThanOrEqual(1);
        const expected = codings.length > 0 ? 'chunked' : Number(lengths[0]?.[1] ?? 0);
        expect(read.body).toBe(expected);
        for (const part of fields.flat()) expect(part).not.toMatch(/[\r\n\0]/);
        for (const [name] of fields) expect(name).toMatch(/^[^\s:]+$/);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a good head is taken in any order of its fields', () => {
    const good: Fields = [HOST, ['Content-Length', '7'], ['Accept', '*/*'], ['X', 'a\tb\xff']];
    fc.assert(
      fc.property(fc.shuffledSubarray([...good], { minLength: good.length }), (shuffled) => {
        expect(framing(shuffled)).toEqual({ host: 'a.example', body: 7 });
      }),
    );
  });
});
