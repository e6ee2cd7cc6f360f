import { durationProblem, LONGEST_MS, parseGoDuration } from './go-duration.ts';
import { JsonSyntaxError, type JsonValue, readJson } from './json-reader.ts';
import { decodeFailed } from './refusal.ts';

/**
 * How one kind of field is read, as Go's encoding/json with DisallowUnknownFields does it: null leaves the zero
 * value, names match without case, unknown names are errors.
 */
export interface Field<T> {
  /** Go's name of the type, for error texts. */
  readonly type: string;
  readonly zero: T;
  /** Of lists and maps: what is in them. */
  readonly item?: Field<unknown>;
  /** Of structs: what they have. */
  readonly fields?: Fields;
  /**
   * `at` is the path so far, in Go's spelling: `.Weights.Passing`. Unknown fields are passed over where it is lenient.
   * Throws {@link FieldError}.
   */
  read(value: JsonValue, at: string, lenient?: boolean): T;
}

export type Decoded<F> = F extends Field<infer T> ? T : never;

class FieldError extends Error {}

function mismatch(value: JsonValue, at: string, type: string): FieldError {
  const found = value.kind === 'number' ? `number ${value.text}` : value.kind;
  const where = at === '' ? 'value' : `struct field ${at}`;
  return new FieldError(`json: cannot unmarshal ${found} into Go ${where} of type ${type}`);
}

function field<T>(
  type: string,
  zero: T,
  read: (value: JsonValue, at: string, lenient: boolean) => T | typeof MISFIT,
): Field<T> {
  return {
    type,
    zero,
    read(value, at, lenient = false) {
      if (value.kind === 'null') return zero;
      const result = read(value, at, lenient);
      if (result === MISFIT) throw mismatch(value, at, type);
      return result;
    },
  };
}

const MISFIT = Symbol('misfit');

export const text: Field<string> = field('string', '', (value) =>
  value.kind === 'string' ? value.value : MISFIT,
);

export const flag: Field<boolean> = field('bool', false, (value) =>
  value.kind === 'bool' ? value.value : MISFIT,
);

export const integer: Field<number> = field('int', 0, (value) => {
  if (value.kind !== 'number' || !/^-?\d+$/.test(value.text)) return MISFIT;
  const number = Number(value.text);
  return Number.isSafeInteger(number) ? number : MISFIT;
});

/** 64 bits, as the digits they were sent in: more than a number holds. */
export const unsigned: Field<string> = field('uint64', '0', (value) =>
  value.kind === 'number' && isUnsigned(value.text) ? value.text : MISFIT,
);

/** Whether the text is a number that Go takes for a uint64. */
export function isUnsigned(digits: string): boolean {
  return /^\d+$/.test(digits) && BigInt(digits) < 2n ** 64n;
}

/** In base64. */
export const bytes: Field<Uint8Array> = field('[]uint8', new Uint8Array(), (value) => {
  if (value.kind !== 'string') return MISFIT;
  const text = value.value.replace(/[\r\n]/g, '');
  const wrong = text.search(/[^A-Za-z0-9+/]/);
  const digits = wrong < 0 ? text.length : wrong;
  const padding = text.slice(digits);
  if (text.length % 4 !== 0 || !/^={0,2}$/.test(padding)) {
    throw new FieldError(`illegal base64 data at input byte ${digits}`);
  }
  return Buffer.from(text, 'base64');
});

/** Milliseconds, from a Go duration string or a number of nanoseconds. */
export const duration: Field<number> = field('time.Duration', 0, (value) => {
  if (value.kind === 'number') {
    const ms = Number(value.text) / 1e6;
    return Math.abs(ms) <= LONGEST_MS ? ms : MISFIT;
  }
  if (value.kind !== 'string') return MISFIT;
  if (value.value === '') return 0;
  const ms = parseGoDuration(value.value);
  if (ms === undefined) throw new FieldError(durationProblem(value.value));
  return ms;
});

/** Kept as it was sent: for fields whose content is only looked at, not used. */
export const anything: Field<JsonValue> = field<JsonValue>(
  'interface {}',
  { kind: 'null' },
  (value) => value,
);

/** Null when absent or null, which Consul shows differently from an empty list. */
export function list<T>(item: Field<T>): Field<readonly T[] | null> {
  const read = (value: JsonValue, at: string, lenient: boolean) =>
    value.kind === 'array' ? value.items.map((each) => item.read(each, at, lenient)) : MISFIT;
  return { ...field<readonly T[] | null>(`[]${item.type}`, null, read), item };
}

/** Null when absent or null. The result has no prototype: any key is just a key. */
export function map<T>(item: Field<T>): Field<Readonly<Record<string, T>> | null> {
  const read = (value: JsonValue, at: string, lenient: boolean) => {
    if (value.kind !== 'object') return MISFIT;
    const result: Record<string, T> = Object.create(null);
    for (const [name, each] of value.members) result[name] = item.read(each, at, lenient);
    return result;
  };
  return { ...field<Readonly<Record<string, T>> | null>(`map[string]${item.type}`, null, read), item };
}

/** Null when absent or null. */
export function optional<T>(inner: Field<T>): Field<T | null> {
  return {
    ...inner,
    type: `*${inner.type}`,
    zero: null,
    read: (value, at, lenient) => (value.kind === 'null' ? null : inner.read(value, at, lenient)),
  };
}

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type Struct<F extends Fields> = { readonly [K in keyof F]: Decoded<F[K]> };

/**
 * A Go struct: a table of its fields. `aliases` are further spellings Consul takes (`args` for `ScriptArgs`); the
 * field's own name wins over them. An alias for '' is tolerated and dropped.
 */
export function struct<F extends Fields>(
  type: string,
  fields: F,
  aliases: Readonly<Record<string, (keyof F & string) | ''>> = {},
  unknownFields: 'refused' | 'ignored' = 'refused',
): Field<Struct<F>> & { readonly fields: F } {
  const own = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]));
  const other = new Map(Object.entries(aliases).map(([alias, name]) => [alias.toLowerCase(), name]));
  const zeros = Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, each.zero]));
  // The table's keys and types are F's own: the one place where the checker cannot follow.
  const shaped = (values: Record<string, unknown>) => values as Struct<F>;

  const read = (value: JsonValue, at: string, lenient: boolean) => {
    if (value.kind !== 'object') return MISFIT;
    const result: Record<string, unknown> = { ...zeros };
    const aliased = new Map<string, unknown>();
    for (const [name, each] of value.members) {
      const key = own.get(name.toLowerCase());
      const alias = key === undefined ? other.get(name.toLowerCase()) : undefined;
      const target = key ?? alias;
      if (target === undefined) {
        if (lenient || unknownFields === 'ignored') continue;
        throw new FieldError(`json: unknown field ${JSON.stringify(name)}`);
      }
      const definition = fields[target];
      if (definition === undefined) continue;
      const read = definition.read(each, `${at === '' ? '' : at}.${target}`, lenient);
      if (key === undefined) aliased.set(target, read);
      else result[target] = read;
    }
    for (const [name, read] of aliased) if (result[name] === zeros[name]) result[name] = read;
    return shaped(result);
  };
  return { ...field<Struct<F>>(type, shaped(zeros), read), fields };
}

/** Whether the value can be read as such a field. */
export function fits(shape: Field<unknown>, value: JsonValue): boolean {
  try {
    shape.read(value, '');
    return true;
  } catch (error) {
    if (error instanceof FieldError) return false;
    throw error;
  }
}

/**
 * Decodes a request body. Throws a 400 with Go's reason after `complaint`; an empty body is `EOF`.
 *
 * @param options.lenientFields unknown fields are passed over
 */
export function decodeBody<T>(
  body: string,
  shape: Field<T>,
  options: { readonly complaint?: string; readonly lenientFields?: boolean } = {},
): T {
  try {
    return shape.read(readJson(body), '', options.lenientFields);
  } catch (error) {
    if (!(error instanceof FieldError || error instanceof JsonSyntaxError)) throw error;
    throw decodeFailed(error.message, options.complaint);
  }
}
