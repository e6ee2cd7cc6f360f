import { HeadParser } from './head-parser.ts';
import { BACKSLASH, CR, EQUALS, LF, QUOTE, SEMICOLON, TOKEN, VALUE } from './octets.ts';

// What comes next.
const SIZE = 0;
const EXTENSION = 1;
const EXTENSION_NAME = 2;
const EXTENSION_VALUE = 3;
const EXTENSION_TOKEN = 4;
const QUOTED = 5;
const QUOTED_PAIR = 6;
const QUOTED_END = 7;
const SIZE_LF = 8;
const DATA = 9;
const DATA_CR = 10;
const DATA_LF = 11;
const TRAILERS = 12;
const TRAILER_FIELDS = 13;
const LAST_LF = 14;

/** Digits of a size at most: no size that is a safe integer has more, but for zeros in front. */
const MAX_DIGITS = 16;
/** Octets of the extensions of one chunk at most. */
const MAX_EXTENSIONS = 4_096;

/**
 * Takes a body out of its chunks (RFC 9112, section 7.1). Nothing that Node's strict parser refuses gets through.
 * Extensions are dropped.
 */
export class ChunkDecoder {
  /** The last chunk and what belongs behind it have been read. */
  complete = false;
  /** Where the data of the last {@link read} lie in its bytes. */
  from = 0;
  to = 0;
  /** Fields behind the last chunk. Flat: name, then value. */
  trailers: readonly string[] = [];
  #state = SIZE;
  #size = 0;
  #digits = 0;
  #extensions = 0;
  #fields: HeadParser | undefined;

  /**
   * Reads on, from `start`, and moves the data of all chunks in `bytes` together, in place.
   * @returns where the last chunk ends in `bytes`, their length if it has not come yet; -1: they are malformed
   */
  read(bytes: Buffer, start: number): number {
    this.from = start;
    this.to = start;
    let i = start;
    while (i < bytes.length && i >= 0 && !this.complete) {
      if (this.#state === DATA) i = this.#move(bytes, i);
      else if (this.#hasFields(bytes[i])) i = this.#readFields(bytes, i);
      else i = this.#step(bytes[i] ?? 0) ? i + 1 : -1;
    }
    return i;
  }

  #move(bytes: Buffer, at: number): number {
    const length = Math.min(this.#size, bytes.length - at);
    if (this.to === this.from) {
      this.from = at;
      this.to = at;
    } else bytes.copyWithin(this.to, at, at + length);
    this.to += length;
    this.#size -= length;
    if (this.#size === 0) this.#state = DATA_CR;
    return at + length;
  }

  /** Whether fields stand behind the last chunk, and this octet belongs to them. */
  #hasFields(octet: number | undefined): boolean {
    if (this.#state === TRAILERS && octet !== CR) this.#state = TRAILER_FIELDS;
    return this.#state === TRAILER_FIELDS;
  }

  #readFields(bytes: Buffer, at: number): number {
    this.#fields ??= new HeadParser('trailers');
    const progress = this.#fields.read(bytes, at);
    if (progress === 'more') return bytes.length;
    if (progress !== 'done') return -1;
    this.trailers = this.#fields.headers;
    this.complete = true;
    return this.#fields.end;
  }

  /** Takes one octet of what is around the data. */
  #step(octet: number): boolean {
    switch (this.#state) {
      case SIZE:
        return this.#readSize(octet);
      case EXTENSION:
        this.#state = EXTENSION_NAME;
        return this.#isIn(TOKEN, octet);
      case EXTENSION_NAME:
        if (octet === EQUALS) this.#state = EXTENSION_VALUE;
        else return this.#isIn(TOKEN, octet) || this.#endExtension(octet);
        return true;
      case EXTENSION_VALUE:
        this.#state = octet === QUOTE ? QUOTED : EXTENSION_TOKEN;
        return octet === QUOTE || this.#isIn(TOKEN, octet);
      case EXTENSION_TOKEN:
        return this.#isIn(TOKEN, octet) || this.#endExtension(octet);
      case QUOTED:
        if (octet === QUOTE) this.#state = QUOTED_END;
        else if (octet === BACKSLASH) this.#state = QUOTED_PAIR;
        return this.#isIn(VALUE, octet);
      case QUOTED_PAIR:
        this.#state = QUOTED;
        return this.#isIn(VALUE, octet);
      case QUOTED_END:
        return this.#endExtension(octet);
      case SIZE_LF:
        this.#state = this.#size === 0 ? TRAILERS : DATA;
        return octet === LF;
      case DATA_CR:
        this.#state = DATA_LF;
        return octet === CR;
      case DATA_LF:
        this.#state = SIZE;
        this.#digits = 0;
        this.#extensions = 0;
        return octet === LF;
      case TRAILERS:
        this.#state = LAST_LF;
        return octet === CR;
      default:
        this.complete = true;
        return octet === LF;
    }
  }

  #readSize(octet: number): boolean {
    const digit = HEX[octet] ?? NO_DIGIT;
    if (digit === NO_DIGIT) return this.#digits > 0 && this.#endExtension(octet);
    this.#size = 16 * this.#size + digit;
    return ++this.#digits <= MAX_DIGITS && this.#size <= Number.MAX_SAFE_INTEGER;
  }

  /** Another extension follows, or none. */
  #endExtension(octet: number): boolean {
    this.#state = octet === SEMICOLON ? EXTENSION : SIZE_LF;
    return octet === SEMICOLON || octet === CR;
  }

  /** An octet of an extension. */
  #isIn(table: Uint8Array, octet: number): boolean {
    return table[octet] === 1 && ++this.#extensions <= MAX_EXTENSIONS;
  }
}

const NO_DIGIT = 0xff;
const HEX = Uint8Array.from({ length: 256 }, (_, octet) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(octet).toLowerCase());
  return digit < 0 ? NO_DIGIT : digit;
});
