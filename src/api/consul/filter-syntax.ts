/** A go-bexpr expression: https://developer.hashicorp.com/consul/api-docs/features/filtering */
export type Expression =
  | { readonly op: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly op: 'not'; readonly of: Expression }
  | Match;

export interface Match {
  readonly op: 'match';
  readonly selector: readonly string[];
  readonly operator: Operator;
  readonly negated: boolean;
  /** Undefined for `is empty`. */
  readonly value: string | undefined;
}

/** `contains` is `in` written the other way round. */
export type Operator = 'Equal' | 'In' | 'Is Empty' | 'Matches';

/** The expression is no expression; the message says where. */
export class FilterSyntaxError extends Error {
  override readonly name = 'FilterSyntaxError';
}

/** Deep enough for any sensible expression, shallow enough for the stack. */
const DEEPEST = 64;

interface Token {
  readonly kind: 'word' | 'quoted' | 'number' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

const TOKEN =
  /[ \t\r\n]*(?:(?<quoted>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?<number>-?\d+(?:\.\d+)?)|(?<word>[A-Za-z][A-Za-z0-9_/]*)|(?<symbol>==|!=|[().[\]]))/y;

/** Parses an expression. Throws {@link FilterSyntaxError}. */
export function parseFilter(text: string): Expression {
  const parser = new Parser(tokens(text));
  const expression = parser.or(0);
  parser.expectEnd();
  return expression;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  const end = text.trimEnd().length;
  let at = 0;
  while (at < end) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) throw misplaced(at);
    const [kind, content] = kindOf(match);
    found.push({ kind, text: content, at: TOKEN.lastIndex - content.length });
    at = TOKEN.lastIndex;
  }
  found.push({ kind: 'end', text: '', at: text.length });
  return found;
}

function kindOf(match: RegExpExecArray): ['quoted' | 'number' | 'word' | 'symbol', string] {
  const { quoted, number, word, symbol = '' } = match.groups ?? {};
  if (quoted !== undefined) return ['quoted', quoted];
  if (number !== undefined) return ['number', number];
  return word !== undefined ? ['word', word] : ['symbol', symbol];
}

/** Worded like go-bexpr's parser: line, column and offset first. */
function misplaced(at: number): FilterSyntaxError {
  return new FilterSyntaxError(`1:${at + 1} (${at}): no match found`);
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  or(depth: number): Expression {
    const left = this.#and(depth);
    return this.#word('or') ? { op: 'or', left, right: this.or(this.#deeper(depth)) } : left;
  }

  expectEnd(): void {
    if (this.#peek().kind !== 'end') throw misplaced(this.#peek().at);
  }

  #and(depth: number): Expression {
    const left = this.#not(depth);
    return this.#word('and') ? { op: 'and', left, right: this.#and(this.#deeper(depth)) } : left;
  }

  #not(depth: number): Expression {
    if (this.#word('not')) return { op: 'not', of: this.#not(this.#deeper(depth)) };
    if (!this.#symbol('(')) return this.#match();
    const inner = this.or(this.#deeper(depth));
    if (!this.#symbol(')')) throw misplaced(this.#peek().at);
    return inner;
  }

  #deeper(depth: number): number {
    if (depth >= DEEPEST) throw misplaced(this.#peek().at);
    return depth + 1;
  }

  #match(): Match {
    const start = this.#next;
    if (this.#peek().kind === 'word') {
      const selector = this.#selector();
      const match = this.#afterSelector(selector);
      if (match) return match;
      this.#next = start;
    }
    const value = this.#value();
    const negated = this.#word('not');
    if (!this.#word('in')) throw misplaced(this.#peek().at);
    return { op: 'match', selector: this.#selector(), operator: 'In', negated, value };
  }

  /** The rest of `selector == value` and its like; undefined for `value in selector`. */
  #afterSelector(selector: readonly string[]): Match | undefined {
    if (this.#word('is')) {
      const negated = this.#word('not');
      if (!this.#word('empty')) throw misplaced(this.#peek().at);
      return { op: 'match', selector, operator: 'Is Empty', negated, value: undefined };
    }
    const match = (operator: Operator, negated: boolean): Match => ({
      op: 'match',
      selector,
      operator,
      negated,
      value: this.#value(),
    });
    if (this.#symbol('==')) return match('Equal', false);
    if (this.#symbol('!=')) return match('Equal', true);
    const before = this.#next;
    const negated = this.#word('not');
    if (this.#word('contains')) return match('In', negated);
    if (this.#word('matches')) return match('Matches', negated);
    this.#next = before;
    return undefined;
  }

  #selector(): readonly string[] {
    const first = this.#take();
    if (first.kind !== 'word') throw misplaced(first.at);
    const path = [first.text];
    for (;;) {
      if (this.#symbol('.')) path.push(this.#identifier());
      else if (this.#symbol('[')) {
        path.push(this.#string());
        if (!this.#symbol(']')) throw misplaced(this.#peek().at);
      } else return path;
    }
  }

  #identifier(): string {
    const token = this.#take();
    if (token.kind !== 'word') throw misplaced(token.at);
    return token.text;
  }

  #string(): string {
    const token = this.#take();
    if (token.kind !== 'quoted') throw misplaced(token.at);
    return unquote(token);
  }

  /** A quoted string, a number, or a bare word, which may have dots. */
  #value(): string {
    const token = this.#peek();
    if (token.kind === 'word') return this.#selector().join('.');
    this.#next++;
    if (token.kind === 'number') return token.text;
    if (token.kind === 'quoted') return unquote(token);
    throw misplaced(token.at);
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', at: 0 };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #word(text: string): boolean {
    return this.#accept('word', text);
  }

  #symbol(text: string): boolean {
    return this.#accept('symbol', text);
  }

  #accept(kind: Token['kind'], text: string): boolean {
    const token = this.#peek();
    if (token.kind !== kind || token.text !== text) return false;
    this.#next++;
    return true;
  }
}

function unquote(token: Token): string {
  if (token.text.startsWith('`')) return token.text.slice(1, -1);
  try {
    return String(JSON.parse(token.text));
  } catch {
    throw misplaced(token.at);
  }
}
