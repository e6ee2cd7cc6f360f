import { parseDuration } from './duration.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { OutlierConfig, RetryBudgetConfig, RetryOn } from './runtime/backends.ts';

/** Statuses that may be retried (HAProxy configuration manual, section 4.2, `retry-on`). */
const STATUSES = [401, 403, 404, 408, 425, 429, 500, 501, 502, 503, 504] as const;
const ALL_STATUSES = [500, 502, 503, 504] as const;
const CONDITIONS = ['none', 'conn-failure', 'empty-response', 'junk-response', 'response-timeout'] as const;
const WORDS = [...CONDITIONS, 'all-retryable-errors', ...STATUSES.map(String)];
const EXPECTED_BUDGET = 'expected off, or a share and a rate such as "20% 10/s"';
const EXPECTED_OUTLIER = 'expected off, or parameters such as "errors 5 time 30s max 10%"';

const NOTHING: RetryOn = {
  connFailure: false,
  emptyResponse: false,
  junkResponse: false,
  responseTimeout: false,
  statuses: [],
};

/** Where nothing is said: connections that fail, and answers that do not come, leave a server alone for a while. */
export const DEFAULT_OUTLIER: OutlierConfig = { errors: undefined, time: 30_000, max: 10 };
/** Finagle's and Linkerd's. */
export const DEFAULT_RETRY_BUDGET: RetryBudgetConfig = { percent: 20, perSecond: 10 };

/** `conn-failure empty-response 503`, or `all-retryable-errors`, or `none`. */
export function parseRetryOn(text: string): Parsed<RetryOn> {
  const words = [...text.matchAll(/\S+/g)];
  if (words.length === 0) return unparsed(`expected one or more of ${WORDS.join(', ')}`);
  let on = NOTHING;
  for (const { 0: word, index } of words) {
    if (word === 'none' && words.length > 1) return unparsed('none stands alone', index);
    if (word === '0rtt-rejected') {
      return unparsed('0rtt-rejected: early data is never sent to servers, so none is rejected', index);
    }
    const known = withWord(on, word);
    if (!known) {
      const message = `unknown condition ${word}; expected ${WORDS.join(', ')}`;
      return unparsed(message, index, didYouMean(word, WORDS));
    }
    on = known;
  }
  return parsed(on);
}

function withWord(on: RetryOn, word: string): RetryOn | undefined {
  switch (word) {
    case 'none':
      return on;
    case 'conn-failure':
      return { ...on, connFailure: true };
    case 'empty-response':
      return { ...on, emptyResponse: true };
    case 'junk-response':
      return { ...on, junkResponse: true };
    case 'response-timeout':
      return { ...on, responseTimeout: true };
    case 'all-retryable-errors': {
      const statuses = [...new Set([...on.statuses, ...ALL_STATUSES])];
      return { connFailure: true, emptyResponse: true, junkResponse: true, responseTimeout: true, statuses };
    }
    default: {
      const status = STATUSES.find((one) => String(one) === word);
      return status && { ...on, statuses: [...new Set([...on.statuses, status])] };
    }
  }
}

/** `20% 10/s`, or `off`. */
export function parseRetryBudget(text: string): Parsed<RetryBudgetConfig | 'off'> {
  if (text.trim() === 'off') return parsed('off');
  const match = /^\s*(\d{1,3})%\s+(\d{1,6})\/s\s*$/.exec(text);
  if (!match) return unparsed(`${EXPECTED_BUDGET}, found ${JSON.stringify(text)}`);
  const [percent, perSecond] = [Number(match[1]), Number(match[2])];
  if (percent > 100) return unparsed('must be at most 100%');
  return parsed({ percent, perSecond });
}

const OUTLIER_WORDS = ['errors', 'time', 'max'] as const;
type OutlierWord = (typeof OUTLIER_WORDS)[number];

/** `errors 5 time 30s max 10%`, any of them in any order; or `off`. */
export function parseOutlier(text: string): Parsed<OutlierConfig | 'off'> {
  if (text.trim() === 'off') return parsed('off');
  const words = [...text.matchAll(/\S+/g)];
  if (words.length === 0) return unparsed(EXPECTED_OUTLIER);
  const given = new Map<OutlierWord, number>();
  for (let i = 0; i < words.length; i += 2) {
    const [word, offset] = [words[i]?.[0] ?? '', words[i]?.index ?? 0];
    const known = OUTLIER_WORDS.find((one) => one === word);
    if (known === undefined) {
      const message = `unknown parameter ${word}; expected ${OUTLIER_WORDS.join(', ')}`;
      return unparsed(message, offset, didYouMean(word, OUTLIER_WORDS));
    }
    if (given.has(known)) return unparsed(`${known} is given twice`, offset);
    const value = words[i + 1];
    if (value === undefined) return unparsed(`${known} lacks its value`, offset);
    const number = outlierValue(known, value[0]);
    if (!number.ok) return { ...number, offset: value.index };
    given.set(known, number.value);
  }
  return parsed({
    errors: given.get('errors') ?? 5,
    time: given.get('time') ?? DEFAULT_OUTLIER.time,
    max: given.get('max') ?? DEFAULT_OUTLIER.max,
  });
}

function outlierValue(word: OutlierWord, text: string): Parsed<number> {
  if (word === 'time') {
    const time = parseDuration(text);
    return time.ok && time.value < 1 ? unparsed('time must be at least 1ms') : time;
  }
  const [pattern, most] = word === 'max' ? [/^(\d{1,3})%$/, 100] : [/^(\d{1,5})$/, 10_000];
  const number = Number(pattern.exec(text)?.[1] ?? Number.NaN);
  if (number >= 1 && number <= most) return parsed(number);
  const expected = word === 'max' ? 'a share from 1% to 100%' : 'a whole number from 1 to 10000';
  return unparsed(`expected ${word} as ${expected}, found ${JSON.stringify(text)}`);
}
