import { http } from '../../../core/http.ts';
import { MAX_HEAD_BYTES } from '../../request/strict.ts';
import { COLON, CR, LF, SP, skip, TAB, TARGET, TOKEN, VALUE } from './octets.ts';

/** What the heads begin with: a request line, a status line, or nothing (the trailers behind the last chunk). */
export type HeadKind = 'request' | 'response' | 'trailers';

/**
 * `more`: the head is not whole yet. `done`: {@link HeadParser.end} says where it ends. `bad`: not a head that every
 * reader understands alike. `large`: more than {@link MAX_HEAD_BYTES}.
 */
export type HeadProgress = 'more' | 'done' | 'bad' | 'large';

// What comes next.
const METHOD = 0;
const REQUEST_TARGET = 1;
const VERSION = 2;
const LINE_CR = 3;
const LINE_LF = 4;
const STATUS = 5;
const STATUS_END = 6;
const REASON = 7;
const FIELD = 8;
const NAME = 9;
const SPACE = 10;
const FIELD_VALUE = 11;
const HEAD_LF = 12;

const FIRST: Readonly<Record<HeadKind, number>> = { request: METHOD, response: STATUS, trailers: FIELD };

const KNOWN_METHODS: ReadonlySet<string> = new Set(http.METHODS);
/** More room than most heads need; what an unusual one has needed is not kept. */
const USUAL_MARKS = 1_024;
const VERSION_PREFIX = Buffer.from('HTTP/1.');
const ZERO = 0x30;
const ONE = 0x31;

/** No tab may stand behind its value: Node's parser does not take that for the end of a coding. */
const CODING_FIELD = /^transfer-encoding$/i;

/**
 * Reads heads of HTTP/1.1 and HTTP/1.0, octet by octet and each only once, however they are cut (RFC 9112,
 * sections 2 to 5). Nothing that Node's strict parser refuses gets through: lines end with CR LF, the parts of the
 * first line are one space apart, names are tokens with the colon right behind them, values have no controls, no
 * line is folded. Empty lines before a request are skipped.
 */
export class HeadParser {
  /** Of a request. */
  method = '';
  target = '';
  /** `1.1` or `1.0`. */
  httpVersion = '';
  /** Of a response. */
  status = 0;
  reason = '';
  /** Flat: name, then value; in the order and case they came, without the space around values. */
  headers: string[] = [];
  /** Where the head ended in the bytes that were given last. */
  end = 0;
  readonly #kind: HeadKind;
  #state: number;
  /** The bytes so far of a head that comes in pieces. */
  #held: Buffer | undefined;
  /** How many of them have been read. */
  #read = 0;
  /** Octets read of a part of the first line whose length is fixed. */
  #step = 0;
  #code = 0;
  #minor = 0;
  /** Where parts of the first line end, then where each name and value starts and ends; from the head's start. */
  #marks: number[] = [];
  /** How many of them hold; the rest is left from heads before. */
  #marked = 0;

  constructor(kind: HeadKind) {
    this.#kind = kind;
    this.#state = FIRST[kind];
  }

  /** A head has begun and is not whole yet. */
  get begun(): boolean {
    return this.#held !== undefined;
  }

  /** Reads on, from `from`. After anything but `more` it expects the next head. */
  read(bytes: Buffer, from: number): HeadProgress {
    const held = this.#held;
    if (held) {
      const progress = this.#proceed(Buffer.concat([held, bytes.subarray(from)]), 0);
      this.end += from - held.length;
      return progress;
    }
    const start = this.#kind === 'request' ? skipBlank(bytes, from) : from;
    return start === bytes.length ? 'more' : this.#proceed(bytes, start);
  }

  /** Forgets what it has of a head. */
  reset(): void {
    this.#held = undefined;
    this.#state = FIRST[this.#kind];
    this.#read = 0;
    this.#step = 0;
    this.#code = 0;
    this.#marked = 0;
    if (this.#marks.length > USUAL_MARKS) this.#marks = [];
  }

  /** @param base where the head starts */
  #proceed(bytes: Buffer, base: number): HeadProgress {
    let progress: HeadProgress = this.#scan(bytes, base);
    if (progress === 'more') {
      if (this.#read < MAX_HEAD_BYTES) {
        // What has been put together is nobody else's; what was read will be overwritten.
        this.#held = this.#held ? bytes : Buffer.from(bytes.subarray(base));
        return progress;
      }
      progress = 'large';
    }
    if (progress === 'done' && !this.#take(bytes, base)) progress = 'bad';
    this.end = base + this.#read;
    this.reset();
    return progress;
  }

  #scan(bytes: Buffer, base: number): 'more' | 'done' | 'bad' {
    const stop = Math.min(bytes.length, base + MAX_HEAD_BYTES);
    let state = this.#state;
    let i = base + this.#read;
    while (i < stop) {
      switch (state) {
        case METHOD:
          i = skip(TOKEN, bytes, i, stop);
          if (i === stop) break;
          if (bytes[i] !== SP || i === base) return 'bad';
          this.#mark(i++ - base);
          state = REQUEST_TARGET;
          break;
        case REQUEST_TARGET:
          i = skip(TARGET, bytes, i, stop);
          if (i === stop) break;
          if (bytes[i] !== SP || bytes[i - 1] === SP) return 'bad';
          this.#mark(i++ - base);
          state = VERSION;
          break;
        case VERSION:
          if (!this.#readVersion(bytes[i++])) return 'bad';
          if (this.#step > VERSION_PREFIX.length) state = LINE_CR;
          break;
        case STATUS:
          if (!this.#readStatus(bytes[i++])) return 'bad';
          if (this.#step === STATUS_LENGTH) state = STATUS_END;
          break;
        case STATUS_END:
          this.#mark(i + 1 - base);
          if (bytes[i] === SP) {
            i++;
            state = REASON;
          } else {
            this.#mark(i + 1 - base);
            state = LINE_CR;
          }
          break;
        case REASON:
          i = skip(VALUE, bytes, i, stop);
          if (i === stop) break;
          this.#mark(i - base);
          state = LINE_CR;
          break;
        case LINE_CR:
          if (bytes[i++] !== CR) return 'bad';
          state = LINE_LF;
          break;
        case LINE_LF:
          if (bytes[i++] !== LF) return 'bad';
          state = FIELD;
          break;
        case FIELD:
          if (bytes[i] === CR) {
            i++;
            state = HEAD_LF;
            break;
          }
          this.#mark(i - base);
          state = NAME;
          break;
        case NAME:
          i = skip(TOKEN, bytes, i, stop);
          if (i === stop) break;
          if (bytes[i] !== COLON || i - base === this.#marks[this.#marked - 1]) return 'bad';
          this.#mark(i++ - base);
          state = SPACE;
          break;
        case SPACE:
          while (i < stop && isSpace(bytes[i])) i++;
          if (i === stop) break;
          this.#mark(i - base);
          state = FIELD_VALUE;
          break;
        case FIELD_VALUE:
          i = skip(VALUE, bytes, i, stop);
          if (i === stop) break;
          if (bytes[i] !== CR || !this.#endValue(bytes, i++, base)) return 'bad';
          state = LINE_LF;
          break;
        default:
          if (bytes[i++] !== LF) return 'bad';
          this.#read = i - base;
          return 'done';
      }
    }
    this.#state = state;
    this.#read = i - base;
    return 'more';
  }

  #readVersion(octet: number | undefined): boolean {
    const step = this.#step++;
    if (step < VERSION_PREFIX.length) return octet === VERSION_PREFIX[step];
    this.#minor = octet === ONE ? 1 : 0;
    return octet === ONE || octet === ZERO;
  }

  /** The version, a space, three digits. */
  #readStatus(octet: number | undefined): boolean {
    const digit = (octet ?? 0) - ZERO;
    if (this.#step <= VERSION_PREFIX.length) return this.#readVersion(octet);
    if (this.#step++ === VERSION_PREFIX.length + 1) return octet === SP;
    this.#code = 10 * this.#code + digit;
    return digit >= 0 && digit <= 9;
  }

  #mark(position: number): void {
    this.#marks[this.#marked++] = position;
  }

  /** @param end behind the last octet of the value, or of the space behind it */
  #endValue(bytes: Buffer, end: number, base: number): boolean {
    const marks = this.#marks;
    const marked = this.#marked;
    const start = base + (marks[marked - 1] ?? 0);
    let last = end;
    while (last > start && isSpace(bytes[last - 1])) last--;
    this.#mark(last - base);
    if (last === end) return true;
    const name = bytes.toString('latin1', base + (marks[marked - 3] ?? 0), base + (marks[marked - 2] ?? 0));
    return !bytes.subarray(last, end).includes(TAB) || !CODING_FIELD.test(name);
  }

  /** Cuts the strings out. False: the method is none that Node knows. */
  #take(bytes: Buffer, base: number): boolean {
    const text = bytes.toString('latin1', base, base + this.#read);
    const marks = this.#marks;
    let at = 0;
    if (this.#kind !== 'trailers') {
      const first = marks[0] ?? 0;
      const second = marks[1] ?? 0;
      at = 2;
      this.httpVersion = this.#minor === 1 ? '1.1' : '1.0';
      if (this.#kind === 'request') {
        // Most are: the literal's hash is known, for all who look it up in sets.
        const isGet = text.startsWith('GET ');
        this.method = isGet ? 'GET' : text.slice(0, first);
        this.target = text.slice(first + 1, second);
        if (!isGet && !KNOWN_METHODS.has(this.method)) return false;
      } else {
        this.status = this.#code;
        this.reason = text.slice(first, second);
      }
    }
    const headers: string[] = [];
    for (; at < this.#marked; at += 4) {
      headers.push(text.slice(marks[at], marks[at + 1]), text.slice(marks[at + 2], marks[at + 3]));
    }
    this.headers = headers;
    return true;
  }
}

/** The length of a status line up to the reason phrase. */
const STATUS_LENGTH = VERSION_PREFIX.length + 5;

function isSpace(octet: number | undefined): boolean {
  return octet === SP || octet === TAB;
}

/** Empty lines before a request are no part of it (RFC 9112, section 2.2). */
function skipBlank(bytes: Buffer, from: number): number {
  let i = from;
  while (i < bytes.length && (bytes[i] === CR || bytes[i] === LF)) i++;
  return i;
}
