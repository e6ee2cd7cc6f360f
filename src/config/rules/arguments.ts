import { isToken } from './fetches.ts';
import type { Report, Word } from './words.ts';

/** Headers that frame a message or belong to one connection (RFC 9110 section 7.6.1): no rule may touch them. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * The words of an action, taken one after another. A method that finds something wrong reports it, remembers
 * that it did (`failed`) and returns a value of the right type to go on with.
 */
export class Arguments {
  readonly #words: readonly Word[];
  readonly #end: number;
  readonly #report: Report;
  #next = 0;
  #failed = false;

  /** `end` is where to point when a word is lacking. */
  constructor(words: readonly Word[], end: number, report: Report) {
    this.#words = words;
    this.#end = end;
    this.#report = report;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** Where the next word begins, or would. */
  get nextOffset(): number {
    return this.#words[this.#next]?.offset ?? this.#end;
  }

  /** Where the word taken last begins. */
  get lastOffset(): number {
    return this.#words[this.#next - 1]?.offset ?? 0;
  }

  /** Takes the next word if it is one of the given keywords; undefined when it is not. */
  keyword<K extends string>(known: readonly K[]): K | undefined {
    const word = this.#words[this.#next];
    const keyword = known.find((name) => name === word?.text);
    if (keyword !== undefined) this.#next++;
    return keyword;
  }

  /** Takes any word; `what` says what is expected. */
  word(what: string): Word {
    const word = this.#words[this.#next];
    if (word) this.#next++;
    else this.fail(this.#end, `expected ${what}`);
    return word ?? { text: '', offset: this.#end, bare: false };
  }

  status(least: number, most: number): number {
    const word = this.word(`a status from ${least} to ${most}`);
    const status = Number(word.text);
    if (!/^\d{3}$/.test(word.text) || status < least || status > most) {
      this.fail(word.offset, `expected a status from ${least} to ${most}, found ${word.text}`);
    }
    return status;
  }

  /** The name of a header that rules may change. */
  header(): string {
    const { text, offset } = this.word('the name of a header');
    if (!isToken(text)) this.fail(offset, `expected the name of a header, found ${JSON.stringify(text)}`);
    else if (OF_THE_CONNECTION.has(text.toLowerCase())) {
      this.fail(offset, `${text} belongs to the connection and cannot be changed by a rule`);
    }
    return text;
  }

  /**
   * HAProxy's log-format string, of which only the literal part exists here: `%%` is a percent sign, any other
   * `%` would be a variable. No line breaks or other control characters: they would forge headers.
   */
  format(what: string): string {
    const word = this.word(what);
    const variable = /%(?!%)/.exec(word.text.replaceAll('%%', '  '));
    if (variable) {
      const inside = word.bare ? variable.index : 0;
      this.fail(
        word.offset + inside,
        'variables such as %[src] are not supported here: expected literal text (%% is a percent sign)',
      );
    }
    this.#refuseControls(word);
    return word.text.replaceAll('%%', '%');
  }

  /** Literal text for a header. */
  headerText(what: string): string {
    const word = this.word(what);
    this.#refuseControls(word);
    return word.text;
  }

  /** Nothing may be left. */
  finish(): void {
    const word = this.#words[this.#next];
    if (word) this.fail(word.offset, `unexpected ${JSON.stringify(word.text)}`);
  }

  fail(offset: number, message: string): void {
    // What follows from the first mistake would only confuse.
    if (!this.#failed) this.#report(offset, message);
    this.#failed = true;
  }

  #refuseControls({ text, offset }: Word): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) this.fail(offset, 'control characters are not allowed here');
  }
}
