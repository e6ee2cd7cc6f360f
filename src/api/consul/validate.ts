import type { JsonValue } from './json-reader.ts';
import { Refusal } from './refusal.ts';

/** Consul's bounds on metadata (agent/structs: metaMaxKeyPairs, metaKeyMaxLength, metaValueMaxLength). */
const META_PAIRS = 64;
const META_KEY = 128;
const META_VALUE = 512;
const META_RESERVED = 'consul-';

/** Refuses metadata as Consul does; pairs are looked at in order of their keys, so the answer is always the same. */
export function checkServiceMeta(meta: Readonly<Record<string, string>> | null): void {
  if (!meta) return;
  const pairs = Object.entries(meta).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length > META_PAIRS) {
    throw new Refusal(
      400,
      `Invalid Service Meta: Node metadata cannot contain more than ${META_PAIRS} key/value pairs`,
    );
  }
  for (const [key, value] of pairs) {
    const problem = metaProblem(key, value);
    if (problem) {
      throw new Refusal(
        400,
        `Invalid Service Meta: Couldn't load metadata pair ('${key}', '${value}'): ${problem}`,
      );
    }
  }
}

function metaProblem(key: string, value: string): string | undefined {
  if (key === '') return 'Key cannot be blank';
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return 'Key contains invalid characters';
  if (key.length > META_KEY) return `Key is too long (limit: ${META_KEY} characters)`;
  if (key.startsWith(META_RESERVED)) return `Key prefix '${META_RESERVED}' is reserved for internal use`;
  if (Buffer.byteLength(value) > META_VALUE) return `Value is too long (limit: ${META_VALUE} characters)`;
  return undefined;
}

/** Weights are DNS SRV weights, 16 bits; null means Consul's default. */
export function checkedWeights(weights: { Passing: number; Warning: number } | null): {
  passing: number;
  warning: number;
} {
  if (!weights) return { passing: 1, warning: 1 };
  const problem = weightsProblem(weights.Passing, weights.Warning);
  if (problem) throw new Refusal(400, `Invalid Weights: ${problem}`);
  return { passing: weights.Passing, warning: weights.Warning };
}

function weightsProblem(passing: number, warning: number): string | undefined {
  if (passing < 1) return 'Passing must be greater than 0';
  if (warning < 0) return 'Warning must be greater or equal than 0';
  if (passing > 65535 || warning > 65535) return 'DNS Weight must be between 0 and 65535';
  return undefined;
}

/** An address nobody can connect to: Consul refuses it for a service. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || address === '[::]';
}

const CONTROL = /\p{Cc}/u;

/**
 * Refuses control characters in whatever may end up in a header, a log line or a DNS answer. Consul lets them
 * in; no client has a use for them. `fields` is what the message calls each value.
 */
export function refuseControlCharacters(
  fields: Readonly<Record<string, string | readonly string[] | null>>,
): void {
  for (const [name, value] of Object.entries(fields)) {
    const values = typeof value === 'string' ? [value] : (value ?? []);
    if (values.some((each) => CONTROL.test(each))) {
      throw new Refusal(400, `Invalid ${name}: control characters are not allowed`);
    }
  }
}

/** The keys and values of a map, for {@link refuseControlCharacters}. */
export function flattened(record: Readonly<Record<string, string>> | null): string[] {
  return record ? Object.entries(record).flat() : [];
}

/** True for what says nothing: null, zero values, and lists and objects of nothing else. */
export function saysNothing(value: JsonValue): boolean {
  switch (value.kind) {
    case 'null':
      return true;
    case 'bool':
      return !value.value;
    case 'number':
      return Number(value.text) === 0;
    case 'string':
      return value.value === '';
    case 'array':
      return value.items.every(saysNothing);
    case 'object':
      return value.members.every(([, each]) => saysNothing(each));
  }
}

/** Service mesh fields: refused rather than ignored, unless they are empty, as Go clients send them. */
export function refuseConnect(proxy: JsonValue, connect: JsonValue): void {
  if (!saysNothing(proxy) || !saysNothing(connect)) {
    throw new Refusal(400, 'Invalid service: Proxy and Connect are not supported');
  }
}
