import { show } from '../../config/issues.ts';
import { type ReadText, readHeredoc, readQuoted } from './hcl-strings.ts';
import { HclSyntaxError } from './hcl-syntax-error.ts';

/** `name` is a bare word, `text` a quoted one or a heredoc. */
export type Token = { readonly at: number } & (
  | { readonly kind: 'name'; readonly value: string }
  | { readonly kind: 'text'; readonly value: string; readonly heredoc: boolean }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: Mark | 'end' }
);

type Mark = '{' | '}' | '[' | ']' | ',' | '=';

const MARKS: ReadonlySet<string> = new Set(['{', '}', '[', ']', ',', '=']);

const BLANK = /[ \t\r\n]+|(?:#|\/\/)[^\n]*/y;
const NAME = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy;
const NUMBER = /-?(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)/y;
/** What a number cannot be followed by at once: `10s`, `1.2.3`. */
const GLUED = /[\p{L}\p{Nd}_.]+/uy;

/**
 * The words and marks of HCL 1 (https://github.com/hashicorp/hcl, hcl/scanner), one at a time; comments are passed over.
 * Throws {@link HclSyntaxError}.
 */
export class HclScanner {
  readonly #text: string;
  #at: number;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.startsWith('\uFEFF') ? 1 : 0;
  }

  next(): Token {
    this.#skip();
    const at = this.#at;
    const char = this.#text.charAt(at);
    if (char === '') return { kind: 'end', at };
    if (isMark(char)) {
      this.#at++;
      return { kind: char, at };
    }
    if (char === '"')
      return { kind: 'text', at, heredoc: false, value: this.#advance(readQuoted(this.#text, at)) };
    if (char === '<')
      return { kind: 'text', at, heredoc: true, value: this.#advance(readHeredoc(this.#text, at)) };
    const name = this.#take(NAME);
    if (name === 'true' || name === 'false') return { kind: 'bool', at, value: name === 'true' };
    if (name !== undefined) return { kind: 'name', at, value: name };
    const digits = this.#take(NUMBER);
    if (digits !== undefined) return { kind: 'number', at, value: this.#number(digits, at) };
    throw new HclSyntaxError(at, `unexpected ${shown(this.#text, at)}`);
  }

  /** Passes over blanks and comments. */
  #skip(): void {
    for (;;) {
      if (this.#take(BLANK) !== undefined) continue;
      const at = this.#at;
      if (!this.#text.startsWith('/*', at)) return;
      const end = this.#text.indexOf('*/', at + 2);
      if (end < 0) throw new HclSyntaxError(at, 'this comment has no end');
      this.#at = end + 2;
    }
  }

  #number(digits: string, at: number): number {
    const glued = this.#take(GLUED);
    if (glued !== undefined) {
      throw new HclSyntaxError(
        at,
        `expected a number, found ${show(`${digits}${glued}`)}; other values stand in quotes`,
      );
    }
    const octal = /^(-?)0(\d+)$/.exec(digits);
    if (octal && /[89]/.test(digits))
      throw new HclSyntaxError(at, `expected an octal number after the zero, found ${show(digits)}`);
    const value = octal ? Number(`0o${octal[2]}`) * (octal[1] === '-' ? -1 : 1) : toNumber(digits);
    if (!Number.isFinite(value)) throw new HclSyntaxError(at, 'this number is too large');
    return value;
  }

  /** What matches here, which is then passed; undefined when nothing does. */
  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #advance({ value, end }: ReadText): string {
    this.#at = end;
    return value;
  }
}

function isMark(char: string): char is Mark {
  return MARKS.has(char);
}

/** JavaScript has no negative hexadecimal numbers. */
function toNumber(digits: string): number {
  return digits.startsWith('-') ? -Number(digits.slice(1)) : Number(digits);
}

function shown(text: string, at: number): string {
  return JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
}
