import { HEADER_BYTES, readHeader } from './message.ts';

const POINTER = 0xc000;
/** Offsets beyond this do not fit a pointer. */
const MAX_OFFSET = 0x3fff;

/** RDATA that is one name, or two names and fixed fields: RFC 1035 types, the only ones that may be compressed. */
const NS = 2;
const CNAME = 5;
const SOA = 6;
const PTR = 12;
/** Its target is written in full (RFC 2782), but later names may point to it. */
const SRV = 33;
const SRV_FIXED_BYTES = 6;

/**
 * Rewrites a message without compression (as dns-packet encodes it) into one with (RFC 1035 section 4.1.4).
 * Names compare by case, so that every name keeps the spelling it has.
 *
 * @param message well formed and free of pointers
 */
export function compressNames(message: Buffer): Buffer {
  const header = readHeader(message);
  if (!header) return message;
  const copy = new Compressor(message);
  const [questions, ...records] = header.counts;
  copy.bytes(HEADER_BYTES);
  for (let i = 0; i < questions; i++) {
    copy.name(true);
    copy.bytes(4);
  }
  const total = records.reduce((sum, count) => sum + count, 0);
  for (let i = 0; i < total; i++) copy.record();
  return copy.written();
}

class Compressor {
  readonly #from: Buffer;
  readonly #to: Buffer;
  /** Where each name written so far starts, by its bytes. */
  readonly #offsets = new Map<string, number>();
  #read = 0;
  #write = 0;

  constructor(from: Buffer) {
    this.#from = from;
    this.#to = Buffer.allocUnsafe(from.length);
  }

  written(): Buffer {
    return this.#to.subarray(0, this.#write);
  }

  bytes(count: number): void {
    this.#from.copy(this.#to, this.#write, this.#read, this.#read + count);
    this.#read += count;
    this.#write += count;
  }

  record(): void {
    this.name(true);
    const type = this.#from.readUInt16BE(this.#read);
    this.bytes(8);
    const length = this.#from.readUInt16BE(this.#read);
    const lengthAt = this.#write;
    this.bytes(2);
    const end = this.#read + length;
    if (type === NS || type === CNAME || type === PTR) {
      this.name(true);
    } else if (type === SOA) {
      this.name(true);
      this.name(true);
    } else if (type === SRV) {
      this.bytes(SRV_FIXED_BYTES);
      this.name(false);
    }
    this.bytes(end - this.#read);
    this.#to.writeUInt16BE(this.#write - lengthAt - 2, lengthAt);
  }

  /** Copies a name, from the first label on whose rest is known as a pointer where that is allowed. */
  name(mayPoint: boolean): void {
    const end = this.#endOfName();
    while (this.#from[this.#read] !== 0) {
      const rest = this.#from.toString('latin1', this.#read, end);
      const known = this.#offsets.get(rest);
      if (known !== undefined && mayPoint) {
        this.#to.writeUInt16BE(POINTER | known, this.#write);
        this.#write += 2;
        this.#read = end;
        return;
      }
      if (known === undefined && this.#write <= MAX_OFFSET) this.#offsets.set(rest, this.#write);
      this.bytes(1 + (this.#from[this.#read] ?? 0));
    }
    this.bytes(1);
  }

  #endOfName(): number {
    let at = this.#read;
    while (this.#from[at]) at += 1 + (this.#from[at] ?? 0);
    return at + 1;
  }
}
