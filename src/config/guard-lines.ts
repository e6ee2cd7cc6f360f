import { parseDuration } from './duration.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { MaxRemoval, OnEmpty } from './runtime/servers.ts';

/** For a wrong answer to be followed by a right one, at the default interval of look-ups. */
const DEFAULT_PER_MS = 10_000;
const ON_EMPTY = ['drain', 'keep', 'keep-for'] as const;
const EXPECTED_ON_EMPTY = 'expected drain, keep, or keep-for and a duration, such as "keep-for 5m"';
const EXPECTED_MAX_REMOVAL =
  'expected a share or a number of servers, such as 50%, 3 or "50% per 30s"; at least 1';
const EXPECTED_PERCENT = 'expected a share from 0% to 100%, such as 50%';

/** `drain`, `keep` or `keep-for 5m`. */
export function parseOnEmpty(text: string): Parsed<OnEmpty> {
  const words = [...text.matchAll(/\S+/g)];
  const [first, second, third] = words;
  const word = first?.[0] ?? '';
  if (word === 'keep-for' && second && !third) {
    const time = atLeastOne(second[0]);
    return time.ok ? parsed({ keepFor: time.value }) : { ...time, offset: second.index };
  }
  if ((word === 'drain' || word === 'keep') && !second) return parsed(word);
  return unparsed(EXPECTED_ON_EMPTY, undefined, didYouMean(word, ON_EMPTY));
}

/** `50%` or `3`, and in which time: `per 30s`; by default 10 s. */
export function parseMaxRemoval(input: string | number): Parsed<MaxRemoval> {
  const text = String(input);
  const match = /^\s*(\d{1,7})(%?)(?:\s+per\s+(\S+))?\s*$/.exec(text);
  if (!match) return unparsed(`${EXPECTED_MAX_REMOVAL}, found ${JSON.stringify(input)}`);
  const [, digits, percent, per] = match;
  const number = Number(digits);
  if (number < 1) return unparsed('must be at least 1: else no server could ever go');
  if (percent && number > 100) return unparsed('must be at most 100%');
  const time = per === undefined ? parsed(DEFAULT_PER_MS) : atLeastOne(per);
  if (!time.ok) return { ...time, offset: text.lastIndexOf(per ?? '') };
  return parsed({ amount: percent ? { percent: number } : { count: number }, per: time.value });
}

/** `50%`, as a number. */
export function parsePercent(input: string | number): Parsed<number> {
  const match = /^\s*(\d{1,3})\s*%?\s*$/.exec(String(input));
  const number = Number(match?.[1] ?? Number.NaN);
  return number <= 100 ? parsed(number) : unparsed(`${EXPECTED_PERCENT}, found ${JSON.stringify(input)}`);
}

function atLeastOne(text: string): Parsed<number> {
  const time = parseDuration(text);
  return time.ok && time.value < 1 ? unparsed('must be at least 1ms: 0 would be no time at all') : time;
}
