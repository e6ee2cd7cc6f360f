import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAclTest } from '../../../src/config/rules/acl.ts';
import type { Scope } from '../../../src/config/rules/condition.ts';
import { parseHttpRequest } from '../../../src/config/rules/http-request.ts';
import { PREDEFINED_ACLS } from '../../../src/config/rules/predefined.ts';
import { parseUseBackend } from '../../../src/config/rules/use-backend.ts';
import { type Report, splitWords } from '../../../src/config/rules/words.ts';
import type { AclTest } from '../../../src/config/runtime/rules.ts';

interface Reported {
  readonly offset: number;
  readonly message: string;
}

/** What a parser returns, and what it reports. */
function run<T>(parse: (report: Report) => T): { value: T; reports: readonly Reported[] } {
  const reports: Reported[] = [];
  const value = parse((offset, message) => reports.push({ offset, message }));
  return { value, reports };
}

function acl(text: string) {
  return run((report) => {
    const split = splitWords(text, report);
    return split && parseAclTest(split.words, split.end, report);
  });
}

function aclTest(text: string): AclTest {
  const { value } = acl(text);
  if (!value) throw new Error(`not an acl: ${text}`);
  return value;
}

const apiTests = [aclTest('path_beg /api/'), aclTest('hdr(host) api.example.com')];
const scope: Scope = {
  mode: 'http',
  acls: new Map([['is_api', apiTests]]),
  aclNames: new Set(['is_api', 'broken']),
};
const rule = (text: string, inScope = scope) => run((report) => parseHttpRequest(text, inScope, report));
const conditionOf = (text: string) => rule(`deny ${text}`).value?.condition;

describe('words (manual, section 2.2)', () => {
  test.each([
    ['a b\tc', ['a', 'b', 'c']],
    ['  a  ', ['a']],
    ['', []],
    ['"a b" c', ['a b', 'c']],
    ['\'a "b"\'', ['a "b"']],
    ['"it\'s"', ["it's"]],
    ['a\\ b', ['a b']],
    ['a" b "c', ['a b c']],
    ['""', ['']],
    ['\\x41\\n\\t\\r', ['A\n\t\r']],
    ['"\\x41\\"\\$"', ['A"$']],
    ["'\\x41\\n'", ['\\x41\\n']],
    ['\\.png$ \\d \\1', ['\\.png$', '\\d', '\\1']],
    ['\\#a "#b"', ['#a', '#b']],
    ['\\\\', ['\\']],
    ['$HOME', ['$HOME']],
  ])('%j', (text, expected) => {
    const { value, reports } = run((report) => splitWords(text, report));
    expect(reports).toEqual([]);
    expect(value?.words.map((word) => word.text)).toEqual(expected);
  });

  test.each([
    ['a "b', 2, 'never closed'],
    ["a' b", 1, 'never closed'],
    ['a \\xZZ', 2, 'two hexadecimal digits'],
    ['a # b', 2, 'would begin a comment'],
    ['a#b', 1, 'would begin a comment'],
  ])('%j is refused', (text, offset, message) => {
    const { value, reports } = run((report) => splitWords(text, report));
    expect(value).toBeUndefined();
    expect(reports).toEqual([{ offset, message: expect.stringContaining(message) }]);
  });

  test('quoting a word in single quotes gives the word, and its place', () => {
    fc.assert(
      fc.property(fc.array(fc.string().filter((text) => !text.includes("'"))), (texts) => {
        const quoted = texts.map((text) => `'${text}'`);
        const words = splitWords(quoted.join(' '), () => expect.unreachable())?.words ?? [];
        expect(words.map((word) => word.text)).toEqual(texts);
        const offsets = texts.map((_, i) => quoted.slice(0, i).join(' ').length + (i > 0 ? 1 : 0));
        expect(words.map((word) => word.offset)).toEqual(offsets);
      }),
    );
  });
});

describe('acl (manual, section 7.1)', () => {
  const plain = { ignoreCase: false };
  test.each([
    ['path /a /b', { fetch: { kind: 'path' }, match: 'str', ...plain, patterns: ['/a', '/b'] }],
    ['path_beg -i /API', { fetch: { kind: 'path' }, match: 'beg', ignoreCase: true, patterns: ['/API'] }],
    ['path_end .png .gif', { fetch: { kind: 'path' }, match: 'end', ...plain, patterns: ['.png', '.gif'] }],
    ['path_dir img', { fetch: { kind: 'path' }, match: 'dir', ...plain, patterns: ['img'] }],
    ['path_reg ^/v\\d+/', { fetch: { kind: 'path' }, match: 'reg', ...plain, patterns: ['^/v\\d+/'] }],
    ['url_sub token=', { fetch: { kind: 'url' }, match: 'sub', ...plain, patterns: ['token='] }],
    ['query -m sub debug', { fetch: { kind: 'query' }, match: 'sub', ...plain, patterns: ['debug'] }],
    ['query -m found', { fetch: { kind: 'query' }, match: 'found', ...plain, patterns: [] }],
    ['method GET', { fetch: { kind: 'method' }, match: 'str', ignoreCase: true, patterns: ['GET'] }],
    [
      'src 10.0.0.0/8 ::1',
      { fetch: { kind: 'src' }, match: 'ip', ...plain, patterns: ['10.0.0.0/8', '::1'] },
    ],
    [
      'hdr(Host) -i a.b',
      { fetch: { kind: 'hdr', header: 'host' }, match: 'str', ignoreCase: true, patterns: ['a.b'] },
    ],
    ['hdr_dom(host) b', { fetch: { kind: 'hdr', header: 'host' }, match: 'dom', ...plain, patterns: ['b'] }],
    ['req.hdr(x-a) b', { fetch: { kind: 'hdr', header: 'x-a' }, match: 'str', ...plain, patterns: ['b'] }],
    ['hdr_beg(x) -m end y', { fetch: { kind: 'hdr', header: 'x' }, match: 'end', ...plain, patterns: ['y'] }],
    ['path -- -i', { fetch: { kind: 'path' }, match: 'str', ...plain, patterns: ['-i'] }],
    ['path /a -i', { fetch: { kind: 'path' }, match: 'str', ...plain, patterns: ['/a', '-i'] }],
    ['always_true', { fetch: { kind: 'always_true' }, match: 'bool', ...plain, patterns: [] }],
  ])('%s', (text, expected) => {
    expect(acl(text)).toEqual({ value: expected, reports: [] });
  });

  test.each([
    ['', 0, 'expected a test'],
    ['pth_beg /', 0, 'unknown fetch pth_beg'],
    ['query_beg a', 0, 'unknown fetch query_beg'],
    ['req.hdr_beg(host) a', 0, 'unknown fetch'],
    ['src_beg a', 0, 'unknown fetch src_beg'],
    ['path,lower /a', 0, 'converters are not supported'],
    ['hdr(host),lower a', 0, 'converters are not supported'],
    ['hdr host', 0, 'expected the name of a header'],
    ['hdr() a', 0, 'expected the name of a header'],
    ['hdr(host,1) a', 0, 'occurrence numbers'],
    ['path(1) /', 0, 'takes nothing in parentheses'],
    ['path', 4, 'expected a pattern after path'],
    ['path -i', 7, 'expected a pattern after path'],
    ['path -f /etc/list', 5, 'not supported'],
    ['path -x /', 5, 'unknown flag -x'],
    ['path -m', 7, 'after -m for path'],
    ['path -m ip 10.0.0.1', 8, 'after -m for path'],
    ['src -m str 10.0.0.1', 7, 'after -m for src'],
    ['path -m beg -m end /', 12, '-m is given twice'],
    ['path -m found /', 14, '-m found takes no pattern'],
    ['always_true 1', 12, 'takes no pattern'],
    ['src 10.0.0.0/8 10.0.0.300', 15, 'expected an IP address'],
    ['path_reg a (', 11, 'Invalid regular expression'],
    [`path_reg ${'a'.repeat(1025)}`, 9, 'may have 1024 characters'],
  ])('%j is refused', (text, offset, message) => {
    expect(acl(text)).toEqual({
      value: undefined,
      reports: [{ offset, message: expect.stringContaining(message) }],
    });
  });

  test('every bad pattern is told', () => {
    expect(acl('src 1.2.3 4.5.6').reports.map(({ offset }) => offset)).toEqual([4, 10]);
  });
});

describe('conditions (manual, section 7.2)', () => {
  const admin = { negated: false, tests: [aclTest('path_beg /admin')] };
  const api = { negated: false, tests: apiTests };
  const not = (term: object) => ({ ...term, negated: true });
  test.each([
    ['if is_api', false, [[api]]],
    ['unless is_api', true, [[api]]],
    ['if !is_api', false, [[not(api)]]],
    ['if ! is_api', false, [[not(api)]]],
    ['if !!is_api', false, [[api]]],
    ['if { path_beg /admin } is_api', false, [[admin, api]]],
    ['if !{ path_beg /admin }', false, [[not(admin)]]],
    ['if is_api || { path_beg /admin } !is_api', false, [[api], [admin, not(api)]]],
    ['if is_api or is_api OR is_api', false, [[api], [api], [api]]],
  ])('%s', (text, unless, anyOf) => expect(conditionOf(text)).toEqual({ unless, anyOf }));

  test('a quoted brace is a pattern', () => {
    expect(conditionOf('if { path "}" }')?.anyOf[0]?.[0]?.tests[0]?.patterns).toEqual(['}']);
  });

  test.each([
    ['if', 7, 'expected an acl'],
    ['if is_api ||', 17, 'expected an acl'],
    ['if !', 9, 'expected an acl'],
    ['if || is_api', 8, 'expected an acl'],
    ['if is_api || or is_api', 18, 'expected an acl'],
    ['if ! || is_api', 10, 'expected an acl'],
    ['if is_apj', 8, 'undefined acl is_apj'],
    ['if IS_API', 8, 'undefined acl IS_API'],
    ['if {path /}', 8, 'braces need blanks'],
    ['if { path /', 8, 'never closed'],
    ['if { }', 10, 'expected a test'],
    ['if is_api if is_api', 15, 'undefined acl if'],
  ])('%s is refused', (text, offset, message) => {
    const { value, reports } = rule(`deny ${text}`);
    expect(value).toBeUndefined();
    expect(reports[0]).toEqual({ offset, message: expect.stringContaining(message) });
  });

  test('every undefined acl is told', () => {
    expect(rule('deny if aaa is_api !bbb || ccc').reports.map(({ offset }) => offset)).toEqual([8, 20, 27]);
  });

  test('an acl whose own declaration is wrong is not told again', () => {
    expect(rule('deny if broken')).toEqual({ value: undefined, reports: [] });
  });

  test('the predefined acls are there, and a declaration goes before them', () => {
    for (const [name, predefined] of PREDEFINED_ACLS) {
      expect(conditionOf(`if ${name}`)?.anyOf).toEqual([[{ negated: false, tests: [predefined] }]]);
    }
    const own: Scope = { ...scope, acls: new Map([['TRUE', apiTests]]), aclNames: new Set(['TRUE']) };
    expect(rule('deny if TRUE', own).value?.condition?.anyOf).toEqual([[api]]);
  });

  test.each([
    ['if { src 10.0.0.0/8 } LOCALHOST TRUE', 0],
    ['if { path / }', 1],
    ['if METH_GET', 1],
    ['if HTTP', 1],
    ['if is_api', 1],
  ])('in mode tcp: %s', (text, problems) => {
    const { reports } = run((report) => parseUseBackend(`db ${text}`, { ...scope, mode: 'tcp' }, report));
    expect(reports).toHaveLength(problems);
  });
});

describe('http-request (manual, section 4.4)', () => {
  test.each([
    ['deny', { action: 'deny', status: 403 }],
    ['deny deny_status 429', { action: 'deny', status: 429 }],
    ['deny status 404', { action: 'deny', status: 404 }],
    ['return', { action: 'return', status: 200, contentType: undefined, body: '' }],
    ['return status 204', { action: 'return', status: 204, contentType: undefined, body: '' }],
    [
      'return string "100% [ok]"',
      { action: 'return', status: 200, contentType: 'text/plain; charset=utf-8', body: '100% [ok]' },
    ],
    [
      'return content-type application/json string \'{"ok":true}\' status 201',
      { action: 'return', status: 201, contentType: 'application/json', body: '{"ok":true}' },
    ],
    ['redirect location /new', { action: 'redirect', type: 'location', to: '/new', code: 302 }],
    ['redirect scheme https code 301', { action: 'redirect', type: 'scheme', to: 'https', code: 301 }],
    [
      'redirect prefix https://b.example code 308',
      { action: 'redirect', type: 'prefix', to: 'https://b.example', code: 308 },
    ],
    ['set-header X-A "b c"', { action: 'set-header', header: 'X-A', value: 'b c' }],
    ['add-header X-A 100%%', { action: 'add-header', header: 'X-A', value: '100%' }],
    ['set-header X-A ""', { action: 'set-header', header: 'X-A', value: '' }],
    ['del-header X-A', { action: 'del-header', header: 'X-A' }],
    ['set-path /b', { action: 'set-path', value: '/b' }],
  ])('%s', (text, expected) => {
    expect(rule(text)).toEqual({ value: { ...expected, condition: undefined }, reports: [] });
    expect(rule(`${text} unless TRUE`).value).toMatchObject({ ...expected, condition: { unless: true } });
  });

  test.each([
    ['', 0, 'expected one of deny'],
    ['dney', 0, 'unknown action dney'],
    ['deny 403', 5, 'unexpected "403"'],
    ['deny deny_status', 16, 'expected a status'],
    ['deny deny_status 99', 17, 'expected a status'],
    ['deny deny_status if TRUE', 17, 'expected a status'],
    ['return status 200 status 201', 18, 'status is given twice'],
    ['return status 600', 14, 'expected a status'],
    ['return string x status 304', 7, 'has no body'],
    ['return lf-string "%[src]"', 7, 'lf-string is not supported'],
    ['return file /etc/passwd', 7, 'file is not supported'],
    ['redirect https://b', 9, 'expected location, prefix or scheme'],
    ['redirect scheme https://', 16, 'expected a scheme'],
    ['redirect location "/a b"', 18, 'no blanks'],
    ['redirect location /a code 300', 26, 'expected code 301'],
    ['redirect prefix / drop-query', 18, 'drop-query is not supported'],
    ['set-header X-A', 14, 'expected the value'],
    ['set-header X-A b c', 17, 'unexpected "c"'],
    ['set-header X:A b', 11, 'expected the name of a header'],
    ['set-header X-A a%[src]', 16, 'variables such as %[src] are not supported'],
    ['set-header X-A "%ci"', 15, 'variables'],
    ['set-header X-A 50%', 17, 'variables'],
    ['set-header X-A a\\r\\nB:\\ c', 15, 'control characters'],
    ['set-header Content-Length 0', 11, 'belongs to the connection'],
    ['del-header transfer-encoding', 11, 'belongs to the connection'],
    ['set-path b', 9, 'expected a path'],
    ['set-path /a?b', 9, 'expected a path'],
  ])('%j is refused', (text, offset, message) => {
    expect(rule(text)).toEqual({
      value: undefined,
      reports: [{ offset, message: expect.stringContaining(message) }],
    });
  });

  test('an action and its condition are both told', () => {
    expect(rule('deny deny_status 1 if aaa').reports.map(({ offset }) => offset)).toEqual([17, 22]);
  });
});

describe('use_backend', () => {
  const use = (text: string) => run((report) => parseUseBackend(text, scope, report));
  test('name, with or without a condition', () => {
    expect(use('api').value).toEqual({ backend: 'api', offset: 0, condition: undefined });
    expect(use(' api if is_api').value).toMatchObject({
      backend: 'api',
      offset: 1,
      condition: { unless: false },
    });
  });

  test.each([
    ['', 0],
    ['if is_api', 0],
    ['api web if is_api', 4],
  ])('%j is refused', (text, offset) => {
    expect(use(text)).toEqual({
      value: undefined,
      reports: [{ offset, message: expect.stringContaining('expected') }],
    });
  });
});

test('no rule throws, and a rule is refused with a reason or accepted without', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'deny',
      'return',
      'if',
      'unless',
      '{',
      '}',
      '!{',
      '||',
      'or',
      '!',
      'path_beg',
      '/a',
      'is_api',
    ),
    fc.constantFrom(
      '"',
      "'",
      '\\',
      'set-header',
      'string',
      'status',
      '200',
      'hdr(host)',
      '-i',
      '-m',
      '--',
      'reg',
      '(',
    ),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const { value, reports } = rule(pieces.join(' '));
      expect(value === undefined).toBe(reports.length > 0);
    }),
    { numRuns: 2_000 },
  );
});
