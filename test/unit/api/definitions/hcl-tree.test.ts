import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readHcl } from '../../../../src/api/definitions/hcl-tree.ts';
import { FILE } from '../../../../src/api/definitions/shapes.ts';
import { formatProblems } from '../../../../src/config/problem.ts';
import { nodeAt, toPlain } from '../../../../src/config/tree.ts';

function plain(text: string): unknown {
  const { tree, problems } = readHcl('a.hcl', text, FILE);
  expect(formatProblems(problems)).toBe('');
  return tree && toPlain(tree);
}

function problems(text: string): string {
  return formatProblems(readHcl('a.hcl', text, FILE).problems);
}

/** What `x` is in a file that says only that. */
function valueIn(text: string): unknown {
  return Object(plain(`x = ${text}`)).x;
}

const DOLLAR = '$';

describe('a value in HCL', () => {
  test.each<[string, unknown]>([
    ['"web"', 'web'],
    ['""', ''],
    ['true', true],
    ['false', false],
    ['80', 80],
    ['-80', -80],
    ['0x1F', 31],
    ['-0x1f', -31],
    ['010', 8],
    ['0', 0],
    ['1.5', 1.5],
    ['-.5', -0.5],
    ['15e-1', 1.5],
    ['0.5E2', 50],
    ['[]', []],
    ['["a", 1, true, ["b"], { c = 2 },]', ['a', 1, true, ['b'], { c: 2 }]],
    ['[ # one\n "a", // two\n "b" /* three */ ]', ['a', 'b']],
    ['{}', {}],
    ['{ a = 1, b = 2, }', { a: 1, b: 2 }],
    ['{ a = 1 b = "c" }', { a: 1, b: 'c' }],
    ['{ "X-A" = ["b"] c.d-e = 1 _f = 2 äö = 3 }', { 'X-A': ['b'], 'c.d-e': 1, _f: 2, äö: 3 }],
    [String.raw`"\a\b\f\n\r\t\v\\\""`, '\x07\b\f\n\r\t\v\\"'],
    [String.raw`"\101\x41\u00e4\U0001F600"`, 'AAä😀'],
    ['"a # b // c /* d */"', 'a # b // c /* d */'],
    ['"$5 $"', '$5 $'],
    [`"a ${DOLLAR}{b("c\\n{}")\n} d\\n"`, `a ${DOLLAR}{b("c\\n{}")\n} d\n`],
    ['<<EOF\none\n  two "x" \\n\nEOF\n', 'one\n  two "x" \\n\n'],
    ['<<EOF\nEOF', ''],
    ['<<EOF\r\none\r\nEOF\r\n', 'one\r\n'],
    ['<<EOF\nEOFX\n EOF\n', 'EOFX\n'],
    ['<<-EOF\n      one\n    two\n    EOF\n', '  one\ntwo\n'],
    ['<<-EOF\n  one\ntwo\n  EOF\n', '  one\ntwo\n'],
    ['[<<EOF\none\nEOF\n, "two"]', ['one\n', 'two']],
  ])('%j is %j', (text, value) => {
    expect(valueIn(text)).toEqual(value);
  });
});

describe('a file in HCL', () => {
  test.each<[string, string, unknown]>([
    ['nothing', '', undefined],
    ['comments alone', '# a\n// b\n/* c\n */', undefined],
    ['a byte order mark', '\uFEFFa = 1', { a: 1 }],
    ['JSON', ' { "a": [1, {"b": null}] }', { a: [1, { b: null }] }],
    [
      'one line',
      'service { name = "web" port = 80 check { ttl = "1m" } }',
      {
        service: { name: 'web', port: 80, check: { ttl: '1m' } },
      },
    ],
    ['one block of several', 'services { name = "a" }', { services: [{ name: 'a' }] }],
    [
      'several blocks',
      'services { name = "a" }\nservices { name = "b" checks { ttl = "1m" } checks { tcp = "b:1" } }',
      {
        services: [{ name: 'a' }, { name: 'b', checks: [{ ttl: '1m' }, { tcp: 'b:1' }] }],
      },
    ],
    [
      'several objects',
      'check = { ttl = "1m" } services = { name = "a" } services = { name = "b" }',
      {
        check: { ttl: '1m' },
        services: [{ name: 'a' }, { name: 'b' }],
      },
    ],
    [
      'blocks where maps are',
      'service { meta { a = "b" } header { x = 1 } tagged_addresses { lan { port = 1 } wan { port = 2 } } }',
      {
        service: {
          meta: { a: 'b' },
          header: { x: 1 },
          tagged_addresses: { lan: { port: 1 }, wan: { port: 2 } },
        },
      },
    ],
    ['labels', 'service "web" "x" { port = 80 }', { service: { web: { x: { port: 80 } } } }],
    ['keys in quotes', '"service" { "name" = "web" }', { service: { name: 'web' } }],
  ])('may be %s', (_what, text, value) => {
    expect(plain(text)).toEqual(value);
  });

  test('has the place and the path of everything, in UTF-16 columns', () => {
    const { tree } = readHcl(
      'a.hcl',
      '# 😀\r\nservices {\n\tname = "a"\n}\n/* 😀 */ services { name = <<E\nb\nE\n }',
      FILE,
    );
    if (!tree) throw new Error('not read');
    const at = (...path: (string | number)[]) => {
      const node = nodeAt(tree, path);
      return node && [node.place.line, node.place.column, node.path];
    };
    expect(at()).toEqual([1, 1, []]);
    expect(at('services')).toEqual([2, 10, ['services']]);
    expect(at('services', 0)).toEqual([2, 10, ['services', 0]]);
    expect(at('services', 0, 'name')).toEqual([3, 9, ['services', 0, 'name']]);
    expect(at('services', 1)).toEqual([5, 19, ['services', 1]]);
    expect(at('services', 1, 'name')).toEqual([5, 28, ['services', 1, 'name']]);
    const first = nodeAt(tree, ['services', 0]);
    expect(first?.kind === 'map' && first.entries.get('name')?.keyPlace).toEqual({
      file: 'a.hcl',
      line: 3,
      column: 2,
    });
  });

  test.each<[string, string]>([
    ['a', 'a.hcl:1:2: expected = or { after the key, found the end of the file'],
    ['a =', 'a.hcl:1:4: expected a value, found the end of the file'],
    ['a = web', 'a.hcl:1:5: expected a value, texts in quotes, found "web"'],
    ['a = 10s', 'a.hcl:1:5: expected a number, found "10s"; other values stand in quotes'],
    ['a = 1.2.3', 'a.hcl:1:5: expected a number, found "1.2.3"; other values stand in quotes'],
    ['a = 089', 'a.hcl:1:5: expected an octal number after the zero, found "089"'],
    ['a = 1e999', 'a.hcl:1:5: this number is too large'],
    ['a = -', 'a.hcl:1:5: unexpected "-"'],
    ['a : 1', 'a.hcl:1:3: unexpected ":"'],
    ['a = 1\n}', 'a.hcl:2:1: expected a key, found }'],
    ['a {\n  b = 1\n', 'a.hcl:3:1: expected a key or }, found the end of the file'],
    ['a { b 1 }', 'a.hcl:1:7: expected = or { after the key, found 1'],
    ['a "b" = {}', 'a.hcl:1:7: expected { after the label, found ='],
    ['true = 1', 'a.hcl:1:1: expected a key, found true'],
    ['<<E\na\nE\n = 1', 'a.hcl:1:1: expected a key, found "a\\n"'],
    ['a = ["b" "c"]', 'a.hcl:1:10: expected , or ] in the list, found "c"'],
    ['a = [,]', 'a.hcl:1:6: expected a value, found ,'],
    ['a = ["b"', 'a.hcl:1:9: expected , or ] in the list, found the end of the file'],
    ['\na = "b\n"', 'a.hcl:2:5: this text has no closing quote'],
    [`a = "${DOLLAR}{b"`, `a.hcl:1:6: this ${DOLLAR}{ has no closing brace`],
    [String.raw`a = "b\q"`, String.raw`a.hcl:1:7: unknown escape; a backslash itself is written \\`],
    [String.raw`a = "\ud800"`, String.raw`a.hcl:1:6: \ud800 is no character`],
    [String.raw`a = "\UFFFFFFFF"`, String.raw`a.hcl:1:6: \UFFFFFFFF is no character`],
    ['/* a', 'a.hcl:1:1: this comment has no end'],
    ['a = 1 / 2', 'a.hcl:1:7: unexpected "/"'],
    ['a = <EOF', 'a.hcl:1:5: expected << with a word at the end of the line, as in <<EOF'],
    ['a = <<EOF b\nEOF', 'a.hcl:1:5: expected << with a word at the end of the line, as in <<EOF'],
    ['a = <<EOF\nb', 'a.hcl:1:5: no line with EOF alone ends this heredoc'],
    ['a = "😀" b = null', 'a.hcl:1:14: expected a value, texts in quotes, found "null"'],
    [`a = ${'['.repeat(40)}`, 'a.hcl:1:37: nested deeper than 32 levels'],
    [`a ${'"b" '.repeat(40)}`, 'a.hcl:1:131: nested deeper than 32 levels'],
    ['a = 1\nb = 2\na = 3', 'a.hcl:3:1: a: duplicate key; it is already on line 1'],
    ['__proto__ = 1', 'a.hcl:1:1: __proto__: this key is not allowed'],
    [
      'service { name = "a" }\nservice { name = "b" }',
      'a.hcl:2:1: service: duplicate key; it is already on line 1 (several blocks are each called services)',
    ],
    [
      'service {\n check { ttl = "1m" }\n check { ttl = "2m" }\n}',
      'a.hcl:3:2: service.check: duplicate key; it is already on line 2 (several blocks are each called checks)',
    ],
    ['services { meta {} meta {} }', 'a.hcl:1:20: services[0].meta: duplicate key; it is already on line 1'],
    ['services { name = "a" }\nservices = []', 'a.hcl:2:1: services: duplicate key; it is already on line 1'],
  ])('%j is refused', (text, message) => {
    expect(problems(text)).toBe(message);
  });

  test('holds no more values than anybody writes', () => {
    expect(problems(`a = [${'1,'.repeat(300_001)}]`)).toMatch(/: more than 300000 values$/);
  });
});

/** Values that HCL has, with keys that need quotes and keys that do not. */
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed() && !text.includes(`${DOLLAR}{`)),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom('a', 'b-c', 'true'), fc.string()), tie('value'), { maxKeys: 4 }),
  ),
}));

function rendered(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(rendered).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{ ${items(value)} }`;
  // JSON's escapes are HCL's, but for the slash that nobody escapes.
  return JSON.stringify(value);
}

function items(object: object): string {
  return Object.entries(object)
    .map(([key, value]) => `${/^[a-z]-?[a-z]?$/.test(key) ? key : JSON.stringify(key)} = ${rendered(value)}`)
    .join('\n');
}

test('whatever value is written in HCL, the same value is read', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const text = rendered({ x: value }).slice(1, -1);
      fc.pre(!text.includes('__proto__') && !text.includes(`${DOLLAR}{`));
      expect(plain(text)).toEqual({ x: value });
    }),
  );
});

test('whatever a file holds, it is read or told what is wrong with it, at a place that it has', () => {
  const word = fc.constantFrom(
    ...[
      'service',
      'services',
      'check',
      'a',
      '"b"',
      '{',
      '}',
      '[',
      ']',
      '=',
      ',',
      '1',
      '0x',
      '-',
      '.',
      'true',
      '\n',
    ],
    ...[
      '"',
      '\\',
      '${',
      '<<EOF\n',
      '<<-E\n',
      'EOF\n',
      ' E\n',
      '#',
      '//',
      '/*',
      '*/',
      '\uFEFF',
      '\0',
      '😀',
      '__proto__',
    ],
  );
  const text = fc.oneof(
    fc.array(word).map((words) => words.join(' ')),
    fc.array(word).map((words) => words.join('')),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (content) => {
      // JSON is read by somebody else.
      fc.pre(!/^\uFEFF?\s*\{/.test(content));
      const lines = content.split('\n');
      for (const { line, column } of readHcl('a.hcl', content, FILE).problems) {
        expect(line).toBeLessThanOrEqual(lines.length);
        expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
      }
    }),
    { numRuns: 2000 },
  );
});
