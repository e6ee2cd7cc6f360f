import { describe, expect, test } from 'vitest';
import {
  decodeBody,
  duration,
  flag,
  integer,
  list,
  map,
  optional,
  struct,
  text,
} from '../../../../src/api/consul/decode.ts';
import { Refusal } from '../../../../src/api/consul/refusal.ts';
import { CHECK, SERVICE } from '../../../../src/api/consul/requests.ts';

const SHAPE = struct(
  'Shape',
  {
    Name: text,
    Port: integer,
    On: flag,
    Tags: list(text),
    Meta: map(text),
    Wait: duration,
    Inner: optional(struct('Inner', { Deep: integer })),
  },
  { other_name: 'Name', dropped: '' },
);

function reason(body: string): string {
  try {
    decodeBody(body, SHAPE);
  } catch (error) {
    if (error instanceof Refusal && error.status === 400) return error.message;
    throw error;
  }
  throw new Error(`decoded: ${body}`);
}

describe('a body is read as Go reads it', () => {
  test.each([
    ['names match in any case', '{"NAME":"x","tags":["a"]}', { Name: 'x', Tags: ['a'] }],
    ['an alias fills the field', '{"other_name":"x"}', { Name: 'x' }],
    ['the own name wins over an alias', '{"other_name":"x","name":"y"}', { Name: 'y' }],
    ['a tolerated name is dropped', '{"Dropped":{"any":[1]}}', { Name: '' }],
    [
      'null leaves the zero value',
      '{"Name":null,"Port":null,"Tags":null,"Inner":null}',
      { Name: '', Port: 0, Tags: null, Inner: null },
    ],
    ['empty is not null', '{"Tags":[],"Meta":{}}', { Tags: [], Meta: {} }],
    ['the last of duplicates wins', '{"Port":1,"port":2}', { Port: 2 }],
    ['bytes after the first value do not matter', '{"Port":1} and more', { Port: 1 }],
    ['a duration is Go text', '{"Wait":"1h0m0.5s"}', { Wait: 3_600_500 }],
    ['a duration is nanoseconds', '{"Wait":1500000}', { Wait: 1.5 }],
    ['negative ports are numbers', '{"Port":-5}', { Port: -5 }],
    ['nested structs', '{"Inner":{"deep":3}}', { Inner: { Deep: 3 } }],
    ['escapes', '{"Name":"\\u00e9\\n\\""}', { Name: 'é\n"' }],
  ])('%s', (_name, body, expected) => {
    expect(decodeBody(body, SHAPE)).toMatchObject(expected);
  });

  test('a key named __proto__ is only a key', () => {
    const { Meta } = decodeBody('{"Meta":{"__proto__":"x"}}', SHAPE);
    expect(Object.keys(Meta ?? {})).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(Meta)).toBe(null);
  });
});

describe('what Go refuses is refused with its words', () => {
  test.each([
    ['', 'EOF'],
    [' \n', 'EOF'],
    ['{"Name": ', 'unexpected EOF'],
    ['{"Name":"x', 'unexpected EOF'],
    ['name=web', "invalid character 'a' in literal null (expecting 'u')"],
    ['{Name:1}', "invalid character 'N' looking for beginning of object key string"],
    ['{"Name" "x"}', "invalid character '\"' after object key"],
    ['{"Name":"x" "Port":1}', "invalid character '\"' after object key:value pair"],
    ['{"Tags":["a" "b"]}', "invalid character '\"' after array element"],
    ['{"Name":"a\nb"}', "invalid character '\\n' in string literal"],
    ['{"Bogus":1}', 'json: unknown field "Bogus"'],
    ['{"Inner":{"Bogus":1}}', 'json: unknown field "Bogus"'],
    ['{"Port":"80"}', 'json: cannot unmarshal string into Go struct field .Port of type int'],
    ['{"Port":8080.0}', 'json: cannot unmarshal number 8080.0 into Go struct field .Port of type int'],
    ['{"Port":1e3}', 'json: cannot unmarshal number 1e3 into Go struct field .Port of type int'],
    ['{"Name":12}', 'json: cannot unmarshal number 12 into Go struct field .Name of type string'],
    ['{"Tags":["a",1]}', 'json: cannot unmarshal number 1 into Go struct field .Tags of type string'],
    ['{"Inner":{"Deep":true}}', 'json: cannot unmarshal bool into Go struct field .Inner.Deep of type int'],
    ['[{}]', 'json: cannot unmarshal array into Go value of type Shape'],
    ['{"Wait":"10"}', 'time: missing unit in duration "10"'],
    [
      '{"Wait":1e300}',
      'json: cannot unmarshal number 1e300 into Go struct field .Wait of type time.Duration',
    ],
    ['{"Wait":"soon"}', 'time: invalid duration "soon"'],
    [`${'['.repeat(100)}`, 'exceeded max depth'],
  ])('%s', (body, words) => {
    expect(reason(body)).toBe(`Request decode failed: ${words}`);
  });
});

describe('the two kinds of check name their id differently', () => {
  test('CheckID inside a service', () => {
    expect(decodeBody('{"Check":{"CheckID":"c"}}', SERVICE).Check.CheckID).toBe('c');
    expect(() => decodeBody('{"Check":{"ID":"c"}}', SERVICE)).toThrow('unknown field "ID"');
  });

  test('ID on its own', () => {
    expect(decodeBody('{"ID":"c"}', CHECK).ID).toBe('c');
    expect(() => decodeBody('{"CheckID":"c"}', CHECK)).toThrow('unknown field "CheckID"');
  });

  test.each([
    'success_before_passing',
    'failures_before_critical',
    'alias_service',
    'output_max_size',
    'check_id',
    'Script',
  ])('%s is no field of a check', (name) => {
    expect(() => decodeBody(`{"Check":{"${name}":1}}`, SERVICE)).toThrow('unknown field');
  });
});
