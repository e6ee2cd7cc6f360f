import type { Indexed } from './model.ts';

/**
 * True when a put of `row` over `stored` would change nothing: every field but the indexes is the same. The
 * order of keys does not count, nor whether an undefined field is there at all: neither survives a store.
 */
export function sameRow(stored: Indexed, row: object): boolean {
  return sameFields(stored, row, INDEXES);
}

const INDEXES: ReadonlySet<string> = new Set<keyof Indexed>(['createIndex', 'modifyIndex']);
const NONE: ReadonlySet<string> = new Set();

function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  return sameFields(a, b, NONE);
}

function sameFields(a: object, b: object, except: ReadonlySet<string>): boolean {
  const left = fieldsOf(a);
  const right = fieldsOf(b);
  let more = 0;
  for (const key of Object.keys(left)) {
    if (left[key] === undefined || except.has(key)) continue;
    if (!Object.hasOwn(right, key) || !sameValue(left[key], right[key])) return false;
    more += 1;
  }
  for (const key of Object.keys(right)) if (right[key] !== undefined && !except.has(key)) more -= 1;
  return more === 0;
}

function fieldsOf(row: object): Readonly<Record<string, unknown>> {
  return row as Readonly<Record<string, unknown>>;
}
