/**
 * JSON as Go's encoding/json reads it: the first value of the text counts and what follows it is ignored,
 * numbers keep their spelling (`8080.0` is no integer), and objects keep every member, in order, so that
 * duplicates and `__proto__` are ordinary names.
 */
export type JsonValue =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'array'; readonly items: readonly JsonValue[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [string, JsonValue])[] };

/** The text is not JSON; the message is worded as Go's decoder words it. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

/** Far deeper than any request needs, far shallower than the stack. */
const DEEPEST = 64;

/** Reads the first JSON value of `text`. Throws {@link JsonSyntaxError}. */
export function readJson(text: string): JsonValue {
  const reader = new Reader(text);
  if (reader.atEnd()) throw new JsonSyntaxError('EOF');
  return reader.value(0);
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERALS: ReadonlyMap<string, { readonly word: string; readonly value: JsonValue }> = new Map([
  ['t', { word: 'true', value: { kind: 'bool', value: true } }],
  ['f', { word: 'false', value: { kind: 'bool', value: false } }],
  ['n', { word: 'null', value: { kind: 'null' } }],
]);

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Skips white space; true when nothing else is left. */
  atEnd(): boolean {
    while (this.#at < this.#text.length && ' \t\r\n'.includes(this.#text.charAt(this.#at))) this.#at++;
    return this.#at >= this.#text.length;
  }

  value(depth: number): JsonValue {
    if (depth > DEEPEST) throw new JsonSyntaxError('exceeded max depth');
    const char = this.#next();
    if (char === '{') return this.#object(depth);
    if (char === '[') return this.#array(depth);
    if (char === '"') return { kind: 'string', value: this.#string() };
    const literal = LITERALS.get(char);
    if (literal) return this.#literal(literal.word, literal.value);
    if (char === '-' || (char >= '0' && char <= '9')) return this.#number();
    throw this.#unexpected('looking for beginning of value');
  }

  /** The next character that is not white space, not consumed. */
  #next(): string {
    if (this.atEnd()) throw new JsonSyntaxError('unexpected EOF');
    return this.#text.charAt(this.#at);
  }

  #unexpected(where: string): JsonSyntaxError {
    if (this.#at >= this.#text.length) return new JsonSyntaxError('unexpected EOF');
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    const shown = char === "'" ? "'\\''" : char === '"' ? `'"'` : `'${JSON.stringify(char).slice(1, -1)}'`;
    return new JsonSyntaxError(`invalid character ${shown} ${where}`);
  }

  #literal(word: string, value: JsonValue): JsonValue {
    for (const expected of word) {
      if (this.#text.charAt(this.#at) !== expected) {
        throw this.#unexpected(`in literal ${word} (expecting '${expected}')`);
      }
      this.#at++;
    }
    return value;
  }

  #number(): JsonValue {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text);
    if (!found) {
      this.#at++;
      throw this.#unexpected('in numeric literal');
    }
    this.#at += found[0].length;
    return { kind: 'number', text: found[0] };
  }

  #string(): string {
    const start = this.#at;
    for (let at = start + 1; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === 0x22) {
        this.#at = at + 1;
        return this.#unquote(this.#text.slice(start, at + 1));
      }
      if (code === 0x5c) at++;
      else if (code < 0x20) {
        this.#at = at;
        throw this.#unexpected('in string literal');
      }
    }
    throw new JsonSyntaxError('unexpected EOF');
  }

  #unquote(quoted: string): string {
    try {
      // Also where nothing is escaped: what is cut out of a text keeps all of it in memory, and this is a copy.
      return String(JSON.parse(quoted)).toWellFormed();
    } catch {
      throw new JsonSyntaxError('invalid character in string escape code');
    }
  }

  #array(depth: number): JsonValue {
    this.#at++;
    const items: JsonValue[] = [];
    if (this.#next() === ']') {
      this.#at++;
      return { kind: 'array', items };
    }
    for (;;) {
      items.push(this.value(depth + 1));
      const char = this.#next();
      if (char !== ',' && char !== ']') throw this.#unexpected('after array element');
      this.#at++;
      if (char === ']') return { kind: 'array', items };
    }
  }

  #object(depth: number): JsonValue {
    this.#at++;
    const members: (readonly [string, JsonValue])[] = [];
    if (this.#next() === '}') {
      this.#at++;
      return { kind: 'object', members };
    }
    for (;;) {
      if (this.#next() !== '"') throw this.#unexpected('looking for beginning of object key string');
      const name = this.#string();
      if (this.#next() !== ':') throw this.#unexpected('after object key');
      this.#at++;
      members.push([name, this.value(depth + 1)]);
      const char = this.#next();
      if (char !== ',' && char !== '}') throw this.#unexpected('after object key:value pair');
      this.#at++;
      if (char === '}') return { kind: 'object', members };
    }
  }
}
