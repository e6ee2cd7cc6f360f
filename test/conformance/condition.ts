import type { DnsAnswer } from './dns-exchange.ts';
import type { HttpAnswer, NoAnswer } from './http-exchange.ts';
import { typeOf, valueAt } from './json-values.ts';
import type { Condition } from './scenario.ts';

/** Whether an answer is as a step waits for; every part of the condition that is given counts. */
export function holds(condition: Condition, raw: HttpAnswer | DnsAnswer | NoAnswer): boolean {
  if (condition.not) return !holds(condition.not, raw);
  if (condition.rcode !== undefined && valueAt(raw, 'message.rcode') !== condition.rcode) return false;
  const value = valueAt(raw, condition.path ?? 'text');
  const { exists, length, contains } = condition;
  if (exists !== undefined && (value !== undefined) !== exists) return false;
  if ('equals' in condition && JSON.stringify(value) !== JSON.stringify(condition.equals)) return false;
  if (length !== undefined && lengthOf(value) !== length) return false;
  return contains === undefined || textOf(value).includes(contains);
}

function lengthOf(value: unknown): number | undefined {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return typeOf(value) === 'object' ? Object.keys(Object(value)).length : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}
