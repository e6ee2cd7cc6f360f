import { canonical, eachAt, isObject, type JsonObject, typeOf } from './json-values.ts';
import type { Step } from './scenario.ts';

/** What a step says about which parts of its answer count. */
export type Comparing = Pick<
  Step,
  | 'mask'
  | 'kind'
  | 'sort'
  | 'any'
  | 'timing'
  | 'fits'
  | 'counts'
  | 'headers'
  | 'text'
  | 'size'
  | 'at'
  | 'only'
  | 'pick'
  | 'pickEach'
>;

/** An answer in which only those parts are left that are compared. Changes what it is given. */
export function comparable(answer: JsonObject, step: Comparing): JsonObject {
  const out = step.mask ? maskedIn(answer, step.mask) : answer;
  for (const path of step.kind ?? []) {
    eachAt(out, path, (parent, key) => {
      parent[key] = `<${typeOf(parent[key])}>`;
    });
  }
  for (const path of step.sort ?? []) {
    eachAt(out, path, (parent, key) => {
      const list = parent[key];
      if (Array.isArray(list)) parent[key] = list.toSorted((a, b) => (canonical(a) < canonical(b) ? -1 : 1));
    });
  }
  dropAny(out, step.any);
  return out;
}

/** Fields that may differ or be missing are taken out of both sides. */
export function dropAny(answer: unknown, paths: readonly string[] | undefined): void {
  for (const path of paths ?? []) {
    eachAt(answer, path, (parent, key) => {
      if (Array.isArray(parent)) parent[Number(key)] = '<any>';
      else delete parent[key];
    });
  }
}

export function masked(text: string, mask: Comparing['mask']): string {
  return (mask ?? []).reduce((done, [pattern, by]) => done.replace(new RegExp(pattern, 'g'), by), text);
}

function maskedIn(value: JsonObject, mask: Comparing['mask']): JsonObject {
  const walk = (each: unknown): unknown => {
    if (typeof each === 'string') return masked(each, mask);
    if (Array.isArray(each)) return each.map(walk);
    return isObject(each) ? maskedIn(each, mask) : each;
  };
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [masked(key, mask), walk(each)]));
}

/** The range a number is in, for what never comes out exactly the same. */
export function bucket(value: number, limits: readonly number[], unit = 'ms'): string {
  const at = limits.findIndex((limit) => value < limit);
  if (at === 0) return `<${limits[0]}${unit}`;
  if (at < 0) return `>=${limits.at(-1)}${unit}`;
  return `${limits[at - 1]}..${limits[at]}${unit}`;
}
