import { type Parsed, parsed, unparsed } from './parsed.ts';

const MS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['us', 0.001],
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** 24.8 days: what HAProxy and the timers of Node hold. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * A duration in HAProxy's time format (configuration manual, section 2.5), in milliseconds: a whole number and
 * `us`, `ms`, `s`, `m`, `h` or `d`; without a unit it is milliseconds. Parts of a millisecond round up, so that
 * nothing becomes zero unasked.
 */
export function parseDuration(input: string | number): Parsed<number> {
  const written = String(input).trim();
  const match = /^(\d+)([a-z]*)$/.exec(written);
  const unit = match === null ? undefined : MS_PER_UNIT.get(match[2] || 'ms');
  if (!match || unit === undefined) return unparsed(`${EXPECTED_DURATION}, found ${JSON.stringify(input)}`);
  const ms = Math.ceil(Number(match[1]) * unit);
  if (ms > LONGEST_MS) return unparsed(`${JSON.stringify(input)} is too long: the longest duration is 24d`);
  return parsed(ms);
}

export const EXPECTED_DURATION = 'expected a duration: a whole number and a unit, such as 500ms, 5s or 1m';
