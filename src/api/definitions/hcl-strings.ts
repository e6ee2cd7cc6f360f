import { HclSyntaxError } from './hcl-syntax-error.ts';

/** A text value, and the offset behind it. */
export interface ReadText {
  readonly value: string;
  readonly end: number;
}

const PLAIN = /[^"\\\n$]+/y;
const ESCAPE = /\\(?:([abfnrtv\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;
const LETTERS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/**
 * The quoted text at an offset (https://github.com/hashicorp/hcl, hcl/strconv). `${…}` means nothing here and is kept as
 * it stands, quotes and line breaks in it included. Throws {@link HclSyntaxError}.
 */
export function readQuoted(text: string, start: number): ReadText {
  const parts: string[] = [];
  let at = start + 1;
  for (;;) {
    const char = text.charAt(at);
    if (char === '"') return { value: parts.join(''), end: at + 1 };
    if (char === '' || char === '\n') throw new HclSyntaxError(start, 'this text has no closing quote');
    const next = char === '\\' ? escaped(text, at) : char === '$' ? dollar(text, at) : plain(text, at);
    parts.push(next.value);
    at = next.end;
  }
}

function plain(text: string, at: number): ReadText {
  PLAIN.lastIndex = at;
  const value = PLAIN.exec(text)?.[0] ?? '';
  return { value, end: at + value.length };
}

function escaped(text: string, at: number): ReadText {
  ESCAPE.lastIndex = at;
  const found = ESCAPE.exec(text);
  if (!found) throw new HclSyntaxError(at, 'unknown escape; a backslash itself is written \\\\');
  const [all, letter, octal, ...hexadecimal] = found;
  const end = at + all.length;
  if (letter !== undefined) return { value: LETTERS[letter] ?? letter, end };
  const hex = hexadecimal.find((digits) => digits !== undefined);
  const code = octal === undefined ? Number.parseInt(hex ?? '', 16) : Number.parseInt(octal, 8);
  if (code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) {
    throw new HclSyntaxError(at, `${all} is no character`);
  }
  return { value: String.fromCodePoint(code), end };
}

/** A dollar sign, or an interpolation up to the brace that closes it. */
function dollar(text: string, start: number): ReadText {
  if (text.charAt(start + 1) !== '{') return { value: '$', end: start + 1 };
  let open = 1;
  for (let at = start + 2; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '{') open++;
    else if (char === '}') open--;
    if (open === 0) return { value: text.slice(start, at + 1), end: at + 1 };
  }
  throw new HclSyntaxError(start, 'this ${ has no closing brace');
}

const ANCHOR = /<<(-?)([\p{L}\p{Nd}_]+)\r?\n/uy;

/**
 * The heredoc at an offset: the lines between `<<EOF` and `EOF`, each with its end. With `<<-EOF` they lose the
 * indentation that the closing `EOF` has, if all of them have it. Throws {@link HclSyntaxError}.
 */
export function readHeredoc(text: string, start: number): ReadText {
  ANCHOR.lastIndex = start;
  const found = ANCHOR.exec(text);
  if (!found) throw new HclSyntaxError(start, 'expected << with a word at the end of the line, as in <<EOF');
  const [opening, dash, anchor = ''] = found;
  const lines: string[] = [];
  for (let at = start + opening.length; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(at, end);
    if (line.trim() === anchor) {
      const indentation = dash === '-' ? line.slice(0, line.indexOf(anchor)) : '';
      return { value: unindented(lines, indentation), end };
    }
    lines.push(line);
    at = end + 1;
  }
  throw new HclSyntaxError(start, `no line with ${anchor} alone ends this heredoc`);
}

function unindented(lines: readonly string[], indentation: string): string {
  const cut = lines.every((line) => line.startsWith(indentation)) ? indentation.length : 0;
  return lines.map((line) => `${line.slice(cut)}\n`).join('');
}
