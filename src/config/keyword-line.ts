import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import { splitWords, type Word } from './rules/words.ts';

/** The words of a line by HAProxy's rules of quoting. */
export function wordsOf(text: string): Parsed<readonly Word[]> {
  let failed: Parsed<never> | undefined;
  const split = splitWords(text, (offset, message, suggestion) => {
    failed = unparsed(message, offset, suggestion);
  });
  return split ? parsed(split.words) : (failed ?? unparsed('cannot be read'));
}

/**
 * Parameters in any order, each at most once: keywords with a value behind them, and others that stand alone.
 * @param what they are parameters of, for messages
 */
export function parseKeywords<Valued extends string, Flag extends string>(
  words: readonly Word[],
  keywords: { readonly what: string; readonly valued: readonly Valued[]; readonly flags: readonly Flag[] },
): Parsed<ReadonlyMap<Valued | Flag, Word>> {
  const given = new Map<Valued | Flag, Word>();
  const known = [...keywords.valued, ...keywords.flags];
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (!word) continue;
    const keyword = known.find((one) => one === word.text);
    if (keyword === undefined) {
      const message = `unknown ${keywords.what} parameter ${word.text}; expected ${known.join(', ')}`;
      return unparsed(message, word.offset, didYouMean(word.text, known));
    }
    if (given.has(keyword)) return unparsed(`${keyword} is given twice`, word.offset);
    if (keywords.flags.some((flag) => flag === keyword)) {
      given.set(keyword, word);
      continue;
    }
    const value = words[++i];
    if (!value) return unparsed(`${keyword} lacks its value`, word.offset);
    given.set(keyword, value);
  }
  return parsed(given);
}
