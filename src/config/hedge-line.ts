import { parseDuration } from './duration.ts';
import { parseKeywords, wordsOf } from './keyword-line.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { HedgeConfig } from './runtime/backends.ts';

/** Timers are not finer than a millisecond, and a second request so soon is more load than help. */
const DEFAULT_LEAST_MS = 10;
const KEYWORDS = { what: 'hedge', valued: ['after', 'min'], flags: [] } as const;

/** `after p95 min 20ms`, in any order; `min` may be left out. Or `off`. */
export function parseHedge(text: string): Parsed<HedgeConfig | 'off'> {
  if (text.trim() === 'off') return parsed('off');
  const words = wordsOf(text);
  if (!words.ok) return words;
  const given = parseKeywords(words.value, KEYWORDS);
  if (!given.ok) return given;
  const [after, min] = [given.value.get('after'), given.value.get('min')];
  if (!after) return unparsed('expected off, or "after p95": what is slower than so many percent is hedged');
  const quantile = parseQuantile(after.text);
  if (!quantile.ok) return { ...quantile, offset: after.offset };
  const least = min ? parseDuration(min.text) : parsed(DEFAULT_LEAST_MS);
  if (!least.ok) return { ...least, offset: min?.offset };
  return parsed({ quantile: quantile.value, least: least.value });
}

/** `p95` or `p99.9`, as a share. Below the half, nearly every request would be sent twice. */
function parseQuantile(text: string): Parsed<number> {
  const percent = Number(/^p(\d{2}(?:\.\d)?)$/.exec(text)?.[1] ?? Number.NaN);
  if (percent >= 50) return parsed(Math.round(percent * 10) / 1_000);
  return unparsed(`expected a percentile from p50 to p99.9, such as p95, found ${JSON.stringify(text)}`);
}
