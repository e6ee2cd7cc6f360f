import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RequestHead } from '../../../../src/proxy/lanes/lane.ts';
import { compileCondition } from '../../../../src/proxy/rules/condition.ts';
import { type Acls, parseCondition, requestHead } from '../fixtures.ts';

interface Asked {
  readonly head?: RequestHead | undefined;
  readonly src?: string;
  readonly acls?: Acls;
}

/** Whether `if …` or `unless …`, as a user writes it, holds. */
function holds(condition: string, { head, src = '192.0.2.7', acls = {} }: Asked): boolean {
  return compileCondition(parseCondition(condition, acls))({ src, head });
}

const at = (target: string, method = 'GET') => ({ head: requestHead(method, target) });
const saying = (...lines: readonly (readonly [string, string])[]) => ({
  head: requestHead('GET', '/', lines),
});

describe('fetches and match methods (manual, sections 7.1.3 and 7.3)', () => {
  test.each([
    // path: from the first slash up to the question mark
    ['{ path /a }', '/a', true],
    ['{ path /a }', '/a?b', true],
    ['{ path /a }', '/a/', false],
    ['{ path /a }', '/A', false],
    ['{ path -i /a }', '/A', true],
    ['{ path /a /b }', '/b', true],
    ['{ path /a }', 'http://h.example/a?b', true],
    ['{ path / }', 'http://h.example', true],
    ['{ path -m found }', '/', true],
    // beg, end, sub
    ['{ path_beg /api/ }', '/api/', true],
    ['{ path_beg /api/ }', '/api/x', true],
    ['{ path_beg /api/ }', '/api', false],
    ['{ path_beg /api/ }', '/x/api/', false],
    ['{ path_beg -i /API }', '/api/x', true],
    ['{ path_end .php }', '/x.php', true],
    ['{ path_end .php }', '/x.php?y', true],
    ['{ path_end .php }', '/x.php5', false],
    ['{ path_end -i .PHP }', '/x.php', true],
    ['{ path_sub admin }', '/xadminy', true],
    ['{ path_sub admin }', '/x?admin', false],
    ['{ path_sub -i ADMIN }', '/xAdMiny', true],
    ['{ path -m beg /a }', '/abc', true],
    ['{ path_beg -m end c }', '/abc', true],
    // dir: whole path components
    ['{ path_dir img }', '/img/a', true],
    ['{ path_dir img }', '/x/img', true],
    ['{ path_dir img }', '/imgs/a', false],
    ['{ path_dir img }', '/x-img/a', false],
    ['{ path_dir /img/ }', '/x/img/y', true],
    ['{ path_dir a/b }', '/x/a/b/c', true],
    ['{ path_dir a/b }', '/x/a/bc', false],
    ['{ path_dir -i IMG }', '/img/a', true],
    ['{ path_dir / }', '/', false],
    ['{ path_dir ab }', '/abab/ab', true],
    ['{ url_dir debug }', '/x?debug', true],
    // dom: also dots and colons delimit
    ['{ path_dom b }', '/a.b.c', true],
    ['{ path_dom b }', '/a:b', true],
    ['{ path_dom b }', '/a.bc', false],
    // reg
    ['{ path_reg ^/v\\d+/ }', '/v12/x', true],
    ['{ path_reg ^/v\\d+/ }', '/vx/', false],
    ['{ path_reg ^/V }', '/v', false],
    ['{ path_reg -i ^/V }', '/v', true],
    ['{ path_reg ^/a$ ^/b$ }', '/b', true],
    // url: all of it
    ['{ url /a?b }', '/a?b', true],
    ['{ url_end b }', '/a?b', true],
    ['{ url_beg http://h.example/ }', 'http://h.example/a', true],
    ['{ url_beg / }', 'http://h.example/a', false],
    // query: behind the first question mark
    ['{ query a=1 }', '/x?a=1', true],
    ['{ query a?b }', '/x?a?b', true],
    ['{ query -m sub a }', '/a', false],
    ['{ query -m found }', '/x?', true],
    ['{ query -m found }', '/x', false],
    ['{ query "" }', '/x?', true],
  ] as const)('%s of %s: %s', (condition, target, expected) => {
    expect(holds(`if ${condition}`, at(target))).toBe(expected);
  });

  test.each([
    ['{ method GET }', 'GET', true],
    ['{ method get }', 'GET', true],
    ['{ method GET POST }', 'POST', true],
    ['{ method GET }', 'HEAD', false],
    ['METH_GET', 'HEAD', true],
    ['METH_POST', 'GET', false],
    ['HTTP', 'PURGE', true],
    ['{ always_true }', 'GET', true],
    ['{ always_false }', 'GET', false],
    ['TRUE', 'GET', true],
    ['FALSE', 'GET', false],
  ] as const)('%s of %s: %s', (condition, method, expected) => {
    expect(holds(`if ${condition}`, at('/', method))).toBe(expected);
  });

  test.each([
    ['{ path -m found }', false],
    ['{ path_beg * }', false],
    ['{ url * }', true],
    ['HTTP_URL_STAR', true],
  ] as const)('a request about the whole server has no path: %s %s', (condition, expected) => {
    expect(holds(`if ${condition}`, at('*', 'OPTIONS'))).toBe(expected);
  });

  test.each(['path_end .php', 'path_sub .ph', 'path_reg \\.php$'])(
    'however long it is, no part of a value escapes: %s',
    (pattern) => {
      expect(holds(`if { ${pattern} }`, at(`/${'./'.repeat(8_000)}x.php`))).toBe(true);
    },
  );
});

describe('header fields', () => {
  test.each([
    ['{ hdr(host) a.example }', [['Host', 'a.example']], true],
    ['{ hdr(HOST) a.example }', [['hOST', 'a.example']], true],
    ['{ hdr(host) a.example }', [['Host', 'A.example']], false],
    ['{ hdr(host) -i a.example }', [['Host', 'A.EXAMPLE']], true],
    ['{ hdr(x-a) "" }', [['X-A', '']], true],
    ['{ hdr(x-a) -m found }', [['X-A', '']], true],
    ['{ hdr(x-a) -m found }', [['X-AB', 'x']], false],
    // several lines, several values in a line
    [
      '{ hdr(x-a) 3 }',
      [
        ['X-A', '1, 2'],
        ['X-B', '4'],
        ['x-a', ' 3 ,5'],
      ],
      true,
    ],
    [
      '{ hdr(x-a) 4 }',
      [
        ['X-A', '1'],
        ['X-B', '4'],
      ],
      false,
    ],
    ['{ hdr(x-a) "1, 2" }', [['X-A', '1, 2']], false],
    ['{ hdr(x-a) "" }', [['X-A', '1,,2']], true],
    ['{ hdr(x-a) "" }', [['X-A', '1,']], true],
    // commas in quoted strings are part of the value
    ['{ hdr(x-a) b }', [['X-A', '"a, b", c']], false],
    ['{ hdr(x-a) c }', [['X-A', '"a, b", c']], true],
    ["{ hdr_end(x-a) 'y\"' }", [['X-A', '"a\\", x", "y"']], true],
    ["{ hdr(x-a) 'x\"' }", [['X-A', '"a\\", x", "y"']], false],
    ['{ hdr_sub(x-a) ",b" }', [['X-A', '"never closed ,b']], true],
    // derivatives
    ['{ hdr_beg(host) www. }', [['Host', 'www.a.example']], true],
    ['{ hdr_end(host) .example }', [['Host', 'a.example:80']], false],
    ['{ hdr_dom(host) example }', [['Host', 'a.example:80']], true],
    ['{ hdr_dom(host) example }', [['Host', 'a.example.org']], true],
    ['{ hdr_dom(host) exam }', [['Host', 'a.example']], false],
    ['{ hdr_dom(host) .a.example }', [['Host', 'x.a.example']], true],
    ['{ hdr_sub(user-agent) -i CURL }', [['User-Agent', 'curl/8']], true],
    ['{ hdr_reg(host) ^[a-c]\\. }', [['Host', 'b.example']], true],
    ['{ hdr_dir(referer) b }', [['Referer', 'http://x/b/c']], true],
    ['{ req.hdr(host) a.example }', [['Host', 'a.example']], true],
  ] as const)('%s of %j: %s', (condition, lines, expected) => {
    expect(holds(`if ${condition}`, saying(...lines))).toBe(expected);
  });

  test('values are read in octets, patterns in UTF-8', () => {
    const zurich = Buffer.from('Zürich', 'utf8').toString('latin1');
    expect(holds('if { hdr(x-city) Zürich }', saying(['X-City', zurich]))).toBe(true);
    expect(holds('if { hdr_reg(x-city) ^Zü }', saying(['X-City', zurich]))).toBe(true);
    expect(holds('if { hdr(x-city) Zurich }', saying(['X-City', zurich]))).toBe(false);
  });

  test('of values without quotes, exactly those between commas match', () => {
    const value = fc.string({ unit: fc.constantFrom('a', 'b', '-', '='), maxLength: 4 });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), value, (values, wanted) => {
        const head = saying(['X-A', values.join(' ,\t')]);
        expect(holds(`if { hdr(x-a) -- "${wanted}" }`, head)).toBe(values.includes(wanted));
      }),
    );
  });
});

describe('addresses', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['10.0.0.1/32', '10.0.0.1', true],
    ['10.0.0.1/32', '10.0.0.0', false],
    ['10.0.0.0/31', '10.0.0.1', true],
    ['10.0.0.0/31', '10.0.0.2', false],
    ['128.0.0.0/1', '200.0.0.1', true],
    ['128.0.0.0/1', '127.0.0.1', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['192.168.0.0/16 10.0.0.0/8', '10.0.0.1', true],
    ['::1', '::1', true],
    ['::1', '::2', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['2001:db8::1/128', '2001:db8::1', true],
    ['2001:db8::1/128', '2001:db8::2', false],
    ['::/0', '2001:db8::1', true],
    ['fe80::/10', 'fe80::1', true],
    // both are tried, each in the other's notation (pat_match_ip)
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['10.0.0.1', '::ffff:10.0.0.1', true],
    ['10.0.0.0/8', '::ffff:11.0.0.1', false],
    ['::ffff:10.0.0.0/104', '10.9.9.9', true],
    ['::ffff:10.0.0.0/104', '11.0.0.1', false],
    ['::/0', '10.0.0.1', true],
  ] as const)('src %s of %s: %s', (pattern, src, expected) => {
    expect(holds(`if { src ${pattern} }`, { src })).toBe(expected);
  });

  test('LOCALHOST is both loopbacks', () => {
    expect(holds('if LOCALHOST', { src: '127.1.2.3' })).toBe(true);
    expect(holds('if LOCALHOST', { src: '::1' })).toBe(true);
    expect(holds('if LOCALHOST', { src: '10.0.0.1' })).toBe(false);
  });

  test('a client on a link of its own has an address all the same', () => {
    expect(holds('if { src fe80::/10 }', { src: 'fe80::1%lo' })).toBe(true);
  });

  test('a client that is gone already has none', () => {
    expect(holds('if { src 0.0.0.0/0 }', { src: '' })).toBe(false);
    expect(holds('if { src -m found }', { src: '' })).toBe(false);
    expect(holds('if { src -m found }', { src: '10.0.0.1' })).toBe(true);
  });

  test('every prefix length holds exactly for the addresses that share those bits', () => {
    const word = fc.nat({ max: 0xffff_ffff });
    const dotted = (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.');
    fc.assert(
      fc.property(word, word, fc.nat({ max: 32 }), fc.nat({ max: 32 }), (network, noise, bits, same) => {
        // An address that shares at least `same` bits, so that both outcomes are common.
        const mask = same === 0 ? 0 : (-1 << (32 - same)) >>> 0;
        const src = ((network & mask) | (noise & ~mask)) >>> 0;
        const compared = bits === 0 ? 0 : -1 << (32 - bits);
        const expected = (network & compared) === (src & compared);
        expect(holds(`if { src ${dotted(network)}/${bits} }`, { src: dotted(src) })).toBe(expected);
      }),
    );
  });
});

describe('conditions (manual, section 7.2)', () => {
  const acls: Acls = { api: ['path_beg /api/', 'hdr(host) api.example'], admin: ['path_beg /api/admin'] };
  const asked = (target: string, host = 'a.example') => ({
    head: requestHead('GET', target, [['Host', host]]),
    acls,
  });

  test.each([
    ['if api', '/api/x', true],
    ['if api', '/x', false],
    ['unless api', '/x', true],
    ['unless api', '/api/x', false],
    ['if !api', '/x', true],
    ['if !api', '/api/x', false],
    ['if !!api', '/api/x', true],
    ['unless !api', '/api/x', true],
    ['if api admin', '/api/admin', true],
    ['if api admin', '/api/x', false],
    ['if api !admin', '/api/x', true],
    ['if api !admin', '/api/admin', false],
    ['if admin or { path /x }', '/x', true],
    ['if admin || { path /x }', '/y', false],
    ['if api admin or api { path_end .png }', '/api/a.png', true],
    ['if api admin or api { path_end .png }', '/api/a.gif', false],
    ['unless admin or { path /x }', '/x', false],
    ['unless admin or { path /x }', '/y', true],
    ['if !{ path /x } !{ path /y }', '/z', true],
    ['if !{ path /x /y }', '/y', false],
  ] as const)('%s of %s: %s', (condition, target, expected) => {
    expect(holds(condition, asked(target))).toBe(expected);
  });

  test('an acl declared more than once holds if any declaration does', () => {
    expect(holds('if api', asked('/x', 'api.example'))).toBe(true);
    expect(holds('if !api', asked('/x', 'api.example'))).toBe(false);
  });

  test('no condition always holds', () => {
    expect(compileCondition(undefined)({ src: '', head: undefined })).toBe(true);
  });

  test('a connection without a request matches no test of one, and so every negated one', () => {
    const connection = { head: undefined };
    for (const of of ['path_beg /', 'url_sub /', 'query -m found', 'method GET', 'hdr(host) -m found']) {
      expect(holds(`if { ${of} }`, connection)).toBe(false);
      expect(holds(`if !{ ${of} }`, connection)).toBe(true);
    }
  });
});
