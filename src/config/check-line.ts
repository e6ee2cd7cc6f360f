import { parseDuration } from './duration.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { CheckConfig } from './runtime/servers.ts';

/** HAProxy's defaults for `check` (configuration manual, section 5.2). */
export const DEFAULT_CHECK: CheckConfig = { inter: 2_000, fall: 3, rise: 2, port: undefined };

const KEYWORDS = ['inter', 'fall', 'rise', 'port'] as const;
type Keyword = (typeof KEYWORDS)[number];

/** The highest of each: beyond it a server would in effect never change. */
const HIGHEST: Readonly<Record<Exclude<Keyword, 'inter'>, number>> = {
  fall: 1_000,
  rise: 1_000,
  port: 65_535,
};

/** `inter 2s fall 3 rise 2 port 81`: HAProxy's server parameters for a check, in any order, each at most once. */
export function parseCheck(text: string): Parsed<CheckConfig> {
  const words = [...text.matchAll(/\S+/g)];
  if (words.length === 0) return unparsed(`expected true, or parameters such as "inter 2s fall 3 rise 2"`);
  const given = new Map<Keyword, number>();
  for (let i = 0; i < words.length; i += 2) {
    const [word, offset] = [words[i]?.[0] ?? '', words[i]?.index ?? 0];
    const keyword = KEYWORDS.find((known) => known === word);
    if (keyword === undefined) {
      return unparsed(
        `unknown check parameter ${word}; expected ${KEYWORDS.join(', ')}`,
        offset,
        didYouMean(word, KEYWORDS),
      );
    }
    if (given.has(keyword)) return unparsed(`${keyword} is given twice`, offset);
    const value = words[i + 1];
    if (value === undefined) return unparsed(`${keyword} lacks its value`, offset);
    const number = parseValue(keyword, value[0]);
    if (!number.ok) return { ...number, offset: value.index };
    given.set(keyword, number.value);
  }
  return parsed({
    inter: given.get('inter') ?? DEFAULT_CHECK.inter,
    fall: given.get('fall') ?? DEFAULT_CHECK.fall,
    rise: given.get('rise') ?? DEFAULT_CHECK.rise,
    port: given.get('port'),
  });
}

function parseValue(keyword: Keyword, text: string): Parsed<number> {
  if (keyword === 'inter') {
    const duration = parseDuration(text);
    return duration.ok && duration.value < 1 ? unparsed('inter must be at least 1ms') : duration;
  }
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number >= 1 && number <= HIGHEST[keyword]) return parsed(number);
  return unparsed(`expected ${keyword} from 1 to ${HIGHEST[keyword]}, found ${JSON.stringify(text)}`);
}
