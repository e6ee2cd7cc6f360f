/**
 * Regular expressions whose cost grows with the text and the pattern, never exponentially: strangers send the
 * patterns. The syntax is Go's (RE2) without `\Q…\E`; a pattern matches anywhere unless anchored. The machine
 * follows all alternatives at once (https://swtch.com/~rsc/regexp/regexp1.html).
 */
export interface LinearRegExp {
  test(text: string): boolean;
}

/** The pattern is not valid, or too large; worded as Go words it where it matters. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

/** Instructions a pattern may compile to, and repetitions Go allows. */
const LARGEST_PROGRAM = 500;
const MOST_REPEATS = 1_000;
const DEEPEST = 50;

type Instruction =
  | { readonly op: 'char'; readonly matches: (char: string) => boolean }
  | { readonly op: 'assert'; readonly holds: (before: string, after: string) => boolean }
  | { readonly op: 'split'; readonly targets: readonly number[] }
  | { readonly op: 'match' };

type Node =
  | { readonly kind: 'char'; readonly matches: (char: string) => boolean }
  | { readonly kind: 'assert'; readonly holds: (before: string, after: string) => boolean }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number };

/** Compiles a pattern. Throws {@link PatternError}. */
export function compileRegExp(pattern: string): LinearRegExp {
  const program: Instruction[] = [];
  emit(new PatternParser(pattern).parse(), program);
  program.push({ op: 'match' });
  return { test: (text) => run(program, text) };
}

function push(program: Instruction[], instruction: Instruction): number {
  if (program.length >= LARGEST_PROGRAM) throw new PatternError('expression too large');
  return program.push(instruction) - 1;
}

function emit(node: Node, program: Instruction[]): void {
  switch (node.kind) {
    case 'char':
      push(program, { op: 'char', matches: node.matches });
      return;
    case 'assert':
      push(program, { op: 'assert', holds: node.holds });
      return;
    case 'sequence':
      for (const part of node.parts) emit(part, program);
      return;
    case 'choice':
      emitChoice(node.options, program);
      return;
    case 'repeat':
      emitRepeat(node, program);
  }
}

function emitChoice(options: readonly Node[], program: Instruction[]): void {
  const fork = push(program, { op: 'split', targets: [] });
  const starts: number[] = [];
  const ends: number[] = [];
  for (const option of options) {
    starts.push(program.length);
    emit(option, program);
    ends.push(push(program, { op: 'split', targets: [] }));
  }
  program[fork] = { op: 'split', targets: starts };
  for (const end of ends) program[end] = { op: 'split', targets: [program.length] };
}

function emitRepeat(node: Node & { readonly kind: 'repeat' }, program: Instruction[]): void {
  for (let i = 0; i < node.min; i++) emit(node.of, program);
  if (node.max === Number.POSITIVE_INFINITY) {
    const fork = push(program, { op: 'split', targets: [] });
    emit(node.of, program);
    push(program, { op: 'split', targets: [fork] });
    program[fork] = { op: 'split', targets: [fork + 1, program.length] };
    return;
  }
  const forks: number[] = [];
  for (let i = node.min; i < node.max; i++) {
    forks.push(push(program, { op: 'split', targets: [] }));
    emit(node.of, program);
  }
  for (const fork of forks) program[fork] = { op: 'split', targets: [fork + 1, program.length] };
}

/** Steps through the text with the set of all instructions the machine could be at. */
function run(program: readonly Instruction[], text: string): boolean {
  const chars = [...text];
  let current = new Set<number>();
  for (let at = 0; at <= chars.length; at++) {
    const before = chars[at - 1] ?? '';
    const after = chars[at] ?? '';
    follow(program, 0, current, before, after);
    const next: number[] = [];
    for (const state of current) {
      const instruction = program[state];
      if (instruction?.op === 'match') return true;
      if (instruction?.op === 'char' && after !== '' && instruction.matches(after)) next.push(state + 1);
    }
    current = new Set();
    const beyond = chars[at + 1] ?? '';
    for (const state of next) follow(program, state, current, after, beyond);
  }
  return false;
}

/** Adds a state and all that is reached from it without reading a character. */
function follow(
  program: readonly Instruction[],
  start: number,
  states: Set<number>,
  before: string,
  after: string,
): void {
  const pending = [start];
  for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
    if (states.has(state)) continue;
    states.add(state);
    const instruction = program[state];
    if (instruction?.op === 'split') pending.push(...instruction.targets);
    else if (instruction?.op === 'assert' && instruction.holds(before, after)) pending.push(state + 1);
  }
}

const WORD = /^\w$/;
const isBoundary = (before: string, after: string) => WORD.test(before) !== WORD.test(after);
const ASSERTIONS: ReadonlyMap<string, (before: string, after: string) => boolean> = new Map([
  ['^', (before) => before === ''],
  ['$', (_before, after) => after === ''],
  ['\\A', (before) => before === ''],
  ['\\z', (_before, after) => after === ''],
  ['\\b', isBoundary],
  ['\\B', (before, after) => !isBoundary(before, after)],
]);

/** POSIX classes, as the inside of a JavaScript character class. */
const POSIX: ReadonlyMap<string, string> = new Map([
  ['alnum', '0-9A-Za-z'],
  ['alpha', 'A-Za-z'],
  ['digit', '0-9'],
  ['lower', 'a-z'],
  ['punct', '!-\\/:-@\\[-`\\{-~'],
  ['space', '\\t\\n\\v\\f\\r '],
  ['upper', 'A-Z'],
  ['word', '0-9A-Za-z_'],
  ['xdigit', '0-9A-Fa-f'],
]);

class PatternParser {
  readonly #pattern: string;
  #at = 0;
  #ignoreCase = false;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  parse(): Node {
    const node = this.#choice(0);
    if (this.#at < this.#pattern.length) throw new PatternError(`unexpected ): \`${this.#pattern}\``);
    return node;
  }

  #choice(depth: number): Node {
    if (depth > DEEPEST) throw new PatternError('expression nests too deeply');
    const options = [this.#sequence(depth)];
    while (this.#accept('|')) options.push(this.#sequence(depth));
    return options.length === 1 && options[0] ? options[0] : { kind: 'choice', options };
  }

  #sequence(depth: number): Node {
    const parts: Node[] = [];
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#pattern.charAt(this.#at))) {
      parts.push(this.#repeated(this.#atom(depth)));
    }
    return { kind: 'sequence', parts };
  }

  #repeated(atom: Node): Node {
    const found = this.#take(/[*+?]|\{(\d{1,4})(,(\d{0,4}))?\}/y);
    if (!found) return atom;
    // Greedy or lazy makes no difference to whether a text matches.
    this.#accept('?');
    if (this.#take(/[*+?]/y)) throw new PatternError(`invalid nested repetition operator: \`${found[0]}\``);
    const min = found[0] === '*' || found[0] === '?' ? 0 : found[0] === '+' ? 1 : Number(found[1]);
    const max =
      found[0] === '?' ? 1 : found[2] === undefined && found[1] !== undefined ? min : upper(found[3]);
    if (min > max || min > MOST_REPEATS || (max > MOST_REPEATS && max !== Number.POSITIVE_INFINITY)) {
      throw new PatternError(`invalid repeat count: \`${found[0]}\``);
    }
    return { kind: 'repeat', of: atom, min, max };
  }

  #atom(depth: number): Node {
    const assertion = this.#take(/[\^$]|\\[AzbB]/y);
    const holds = assertion && ASSERTIONS.get(assertion[0]);
    if (holds) return { kind: 'assert', holds };
    if (this.#accept('(')) return this.#group(depth);
    if (this.#accept('.')) return { kind: 'char', matches: (char) => char !== '\n' };
    if (this.#pattern.charAt(this.#at) === '[') return this.#class();
    const special = this.#take(/\\(?:[pP]\{[^}]*\}|[pP][A-Z]|x[0-9a-fA-F]{2}|.)/suy);
    if (special) return this.#matcher(`[${escaped(special[0])}]`, special[0]);
    if (this.#accept('\\')) throw new PatternError('trailing backslash at end of expression: ``');
    const literal = this.#take(/./suy);
    if (!literal || '*+?'.includes(literal[0])) {
      throw new PatternError(`missing argument to repetition operator: \`${literal?.[0] ?? ''}\``);
    }
    return this.#matcher(
      literal[0] === '^' ? '\\^' : `[${literal[0].replace(/[\]\\[^-]/, '\\$&')}]`,
      literal[0],
    );
  }

  #group(depth: number): Node {
    const before = this.#ignoreCase;
    const head = this.#take(/\?(?:P?<\w+>|(i?):|(i)\))/y);
    if (!head && this.#pattern.charAt(this.#at) === '?') {
      throw new PatternError(
        `invalid or unsupported Perl syntax: \`${this.#pattern.slice(this.#at - 1, this.#at + 2)}\``,
      );
    }
    if (head?.[1] === 'i' || head?.[2] === 'i') this.#ignoreCase = true;
    if (head?.[2] !== undefined) return { kind: 'sequence', parts: [] };
    const inner = this.#choice(depth + 1);
    if (!this.#accept(')')) throw new PatternError(`missing closing ): \`${this.#pattern}\``);
    this.#ignoreCase = before;
    return inner;
  }

  #class(): Node {
    const found = this.#take(/\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]/suy);
    if (!found) throw new PatternError(`missing closing ]: \`${this.#pattern.slice(this.#at)}\``);
    const negated = found[0].startsWith('[^');
    const inside = found[0].slice(negated ? 2 : 1, -1).replace(/^\]/, '\\]');
    const source = inside.replace(
      /\[:(\w+):\]|\\(?:[pP]\{[^}]*\}|[pP][A-Z]|.)|\[/gsu,
      (part, name: string | undefined) =>
        name !== undefined ? posix(name) : part === '[' ? '\\[' : escaped(part),
    );
    return this.#matcher(`[${negated ? '^' : ''}${source}]`, found[0]);
  }

  /** One character is all this expression is ever tried on, so JavaScript's engine may do it. */
  #matcher(source: string, shown: string): Node {
    try {
      const single = new RegExp(`^${source}$`, this.#ignoreCase ? 'siu' : 'su');
      return { kind: 'char', matches: (char) => single.test(char) };
    } catch {
      throw new PatternError(`invalid escape sequence or character class: \`${shown}\``);
    }
  }

  #accept(char: string): boolean {
    if (this.#pattern.charAt(this.#at) !== char) return false;
    this.#at++;
    return true;
  }

  /** Takes what a sticky expression finds here. */
  #take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#pattern);
    if (found) this.#at += found[0].length;
    return found;
  }
}

function upper(digits: string | undefined): number {
  return digits === undefined || digits === '' ? Number.POSITIVE_INFINITY : Number(digits);
}

/** Go's spelling of an escape in JavaScript's: `\pL` has braces there, and punctuation only some. */
function escaped(sequence: string): string {
  const script = /^(\\[pP]\{)([A-Za-z_]{3,}\})$/.exec(sequence);
  if (script) return `${script[1]}Script=${script[2]}`;
  if (/^\\[pP][A-Z]$/.test(sequence)) return `${sequence.slice(0, 2)}{${sequence.slice(2)}}`;
  if (/^\\[!-/:-@[-`{-~]$/.test(sequence) && !/[\]\\[^-]/.test(sequence.charAt(1))) return sequence.charAt(1);
  if (sequence === '\\a') return '\\x07';
  return sequence;
}

function posix(name: string): string {
  const inside = POSIX.get(name);
  if (inside === undefined) throw new PatternError(`invalid character class range: \`[:${name}:]\``);
  return inside;
}
