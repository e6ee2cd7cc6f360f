/** Reports something wrong in a rule: where (character within the rule), what was expected, and what may be meant. */
export type Report = (offset: number, message: string, suggestion?: string) => void;

/** One word of a rule, quotes and escapes removed. */
export interface Word {
  readonly text: string;
  /** Where it begins in the rule. */
  readonly offset: number;
  /** No part of it was quoted or escaped: only then can it be an operator. */
  readonly bare: boolean;
}

/** The words of a rule, and where it ends: the place to point at when something is lacking. */
export interface Words {
  readonly words: readonly Word[];
  readonly end: number;
}

/**
 * Cuts a rule into words as HAProxy does (configuration manual, section 2.2): blanks separate, backslash,
 * double and single quotes protect; inside single quotes nothing is interpreted. A backslash before any other
 * character stays, so that `\.png$` needs no quotes. An unprotected `#` would begin a comment there; here,
 * where nothing may follow, it is an error. Undefined when something was reported.
 */
export function splitWords(rule: string, report: Report): Words | undefined {
  const words: Word[] = [];
  let text = '';
  let start = -1;
  let bare = true;
  let quote: { readonly char: string; readonly offset: number } | undefined;

  for (let i = 0; i < rule.length; i++) {
    const char = rule[i] ?? '';
    if (/\s/.test(char) && !quote) {
      if (start >= 0) words.push({ text, offset: start, bare });
      text = '';
      start = -1;
      bare = true;
      continue;
    }
    if (start < 0) start = i;
    if (char === quote?.char) {
      quote = undefined;
    } else if (!quote && (char === '"' || char === "'")) {
      quote = { char, offset: i };
      bare = false;
    } else if (char === '\\' && quote?.char !== "'") {
      const escaped = readEscape(rule, i, quote?.char === '"');
      if (!escaped) {
        report(i, 'expected two hexadecimal digits after \\x');
        return undefined;
      }
      text += escaped.text;
      bare = false;
      i += escaped.length - 1;
    } else if (char === '#' && !quote) {
      report(i, 'an unquoted # would begin a comment: write \\# or put quotes around it');
      return undefined;
    } else {
      text += char;
    }
  }
  if (quote) {
    report(quote.offset, `this ${quote.char} is never closed`);
    return undefined;
  }
  if (start >= 0) words.push({ text, offset: start, bare });
  return { words, end: rule.trimEnd().length };
}

const NAMED_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ...[' ', '\\', '#', '"', "'"].map((char): [string, string] => [char, char]),
]);

/** What the backslash at `index` stands for, and how many characters that takes; undefined: a bad `\xNN`. */
function readEscape(
  rule: string,
  index: number,
  inDouble: boolean,
): { text: string; length: number } | undefined {
  const next = rule[index + 1] ?? '';
  if (next === 'x') {
    const hex = /^[0-9a-f]{2}/i.exec(rule.slice(index + 2))?.[0];
    return hex === undefined ? undefined : { text: String.fromCharCode(Number.parseInt(hex, 16)), length: 4 };
  }
  if (next === '$' && inDouble) return { text: '$', length: 2 };
  const named = NAMED_ESCAPES.get(next);
  return named === undefined ? { text: '\\', length: 1 } : { text: named, length: 2 };
}
