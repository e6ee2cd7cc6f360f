import { show } from '../../config/issues.ts';
import { HclScanner, type Token } from './hcl-scanner.ts';
import { HclSyntaxError } from './hcl-syntax-error.ts';

/** What a file says, as it stands there; `at` are offsets. */
export type HclValue = HclObject | HclList | HclScalar;

export interface HclObject {
  readonly kind: 'object';
  readonly at: number;
  /** In their order; the same key may come again. */
  readonly items: readonly HclItem[];
}

export interface HclItem {
  readonly key: string;
  readonly at: number;
  readonly value: HclValue;
}

export interface HclList {
  readonly kind: 'list';
  readonly at: number;
  readonly items: readonly HclValue[];
}

export interface HclScalar {
  readonly kind: 'scalar';
  readonly at: number;
  readonly value: string | number | boolean;
}

/** Far above any real definition; they bound memory and the stack. */
const DEEPEST = 32;
const MOST_VALUES = 300_000;

/**
 * Reads HCL 1, as Consul takes it (https://github.com/hashicorp/hcl, hcl/parser): `key = value` and `key { … }`, which
 * may follow each other on one line, with or without commas. A block's labels are keys of objects around it, as there.
 * Throws {@link HclSyntaxError} and nothing else.
 */
export function parseHcl(text: string): HclObject {
  return new Parser(text).file();
}

class Parser {
  readonly #scanner: HclScanner;
  #token: Token;
  #values = 0;

  constructor(text: string) {
    this.#scanner = new HclScanner(text);
    this.#token = this.#scanner.next();
  }

  file(): HclObject {
    const items = this.#items('end', 1);
    return { kind: 'object', at: 0, items };
  }

  #next(): Token {
    const token = this.#token;
    this.#token = this.#scanner.next();
    return token;
  }

  #at(kind: Token['kind']): boolean {
    return this.#token.kind === kind;
  }

  /** Passes over the mark if it stands here. */
  #skip(mark: Token['kind']): boolean {
    const found = this.#at(mark);
    if (found) this.#next();
    return found;
  }

  /** Up to the brace that closes the object, which is not passed, or up to the end. */
  #items(closing: '}' | 'end', depth: number): readonly HclItem[] {
    const items: HclItem[] = [];
    while (!this.#at(closing)) {
      items.push(this.#item(closing, depth));
      this.#skip(',');
    }
    return items;
  }

  #item(closing: '}' | 'end', depth: number): HclItem {
    const token = this.#next();
    const key = keyOf(token);
    if (key === undefined) throw unexpected(token, closing === 'end' ? 'a key' : 'a key or }');
    const { at } = token;
    if (!this.#skip('=')) return { key, at, value: this.#block(depth, '= or { after the key') };
    return { key, at, value: this.#value(depth) };
  }

  /** What is in a block is in an object for each of its labels: `service "web" { … }` is `service { web { … } }`. */
  #block(depth: number, expected: string): HclObject {
    const token = this.#token;
    const label = keyOf(token);
    if (label === undefined) {
      if (token.kind !== '{') throw unexpected(token, expected);
      return this.#object(depth);
    }
    const { at } = this.#next();
    this.#count(at, depth);
    return {
      kind: 'object',
      at,
      items: [{ key: label, at, value: this.#block(depth + 1, '{ after the label') }],
    };
  }

  #value(depth: number): HclValue {
    const token = this.#token;
    switch (token.kind) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#list(depth);
      case 'text':
      case 'number':
      case 'bool':
        this.#count(token.at, depth);
        this.#next();
        return { kind: 'scalar', at: token.at, value: token.value };
      case 'name':
        throw unexpected(token, 'a value, texts in quotes');
      default:
        throw unexpected(token, 'a value');
    }
  }

  #object(depth: number): HclObject {
    const { at } = this.#next();
    this.#count(at, depth);
    const items = this.#items('}', depth + 1);
    this.#next();
    return { kind: 'object', at, items };
  }

  #list(depth: number): HclList {
    const { at } = this.#next();
    this.#count(at, depth);
    const items: HclValue[] = [];
    while (!this.#at(']')) {
      items.push(this.#value(depth + 1));
      if (!this.#skip(',') && !this.#at(']')) throw unexpected(this.#token, ', or ] in the list');
    }
    this.#next();
    return { kind: 'list', at, items };
  }

  #count(at: number, depth: number): void {
    if (depth > DEEPEST) throw new HclSyntaxError(at, `nested deeper than ${DEEPEST} levels`);
    if (++this.#values > MOST_VALUES) throw new HclSyntaxError(at, `more than ${MOST_VALUES} values`);
  }
}

/** A bare word, or one in quotes; true and false are none. */
function keyOf(token: Token): string | undefined {
  if (token.kind === 'name') return token.value;
  return token.kind === 'text' && !token.heredoc ? token.value : undefined;
}

function unexpected(token: Token, expected: string): HclSyntaxError {
  return new HclSyntaxError(token.at, `expected ${expected}, found ${found(token)}`);
}

function found(token: Token): string {
  if (token.kind === 'end') return 'the end of the file';
  return 'value' in token ? show(token.value) : token.kind;
}
