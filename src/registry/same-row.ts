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
  const left = fieldsOf(a, except);
  const right = fieldsOf(b, except);
  if (left.size !== right.size) return false;
  for (const [key, value] of left) {
    if (!right.has(key) || !sameValue(value, right.get(key))) return false;
  }
  return true;
}

function fieldsOf(row: object, except: ReadonlySet<string>): Map<string, unknown> {
  return new Map(Object.entries(row).filter(([key, value]) => value !== undefined && !except.has(key)));
}
