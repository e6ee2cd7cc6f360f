/**
 * What a DNS message says before its records are read (RFC 1035 section 4.1): enough to decide whether a
 * stranger's message deserves more work, and to answer it even if the rest of it makes no sense.
 */

export const HEADER_BYTES = 12;
export const MAX_MESSAGE_BYTES = 0xffff;

export const FLAG_RESPONSE = 0x8000;
export const FLAG_AUTHORITATIVE = 0x0400;
export const FLAG_TRUNCATED = 0x0200;
export const FLAG_RECURSION_DESIRED = 0x0100;
export const FLAG_RECURSION_AVAILABLE = 0x0080;
export const OPCODE_MASK = 0x7800;
export const RCODE_MASK = 0x000f;

const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;
/** The root name, type, class, TTL and an empty RDATA. */
const MIN_RECORD_BYTES = 11;

export interface Header {
  readonly id: number;
  readonly flags: number;
  /** Of questions, answers, authority and additional records. */
  readonly counts: readonly [number, number, number, number];
}

export interface Question {
  /** Labels joined by dots, without a trailing dot. */
  readonly name: string;
  /** False for a name that only bytes can express: a dot within a label, or bytes that are not UTF-8. */
  readonly printable: boolean;
  readonly type: number;
  readonly class: number;
  /** The question as it was sent, to be sent back: replies repeat it to the letter. */
  readonly wire: Buffer;
}

/** Undefined for what is too short to be a message. */
export function readHeader(message: Buffer): Header | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  return {
    id: message.readUInt16BE(0),
    flags: message.readUInt16BE(2),
    counts: [
      message.readUInt16BE(4),
      message.readUInt16BE(6),
      message.readUInt16BE(8),
      message.readUInt16BE(10),
    ],
  };
}

/** Reads the first question; undefined when there is no whole one. Compression has nothing to point at yet. */
export function readQuestion(message: Buffer): Question | undefined {
  const labels: Buffer[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > MAX_LABEL_BYTES) return undefined;
    at += 1;
    if (length === 0) break;
    if (at + length > message.length || at + length - HEADER_BYTES >= MAX_NAME_BYTES) return undefined;
    labels.push(message.subarray(at, at + length));
    at += length;
  }
  if (at + 4 > message.length) return undefined;
  const texts = labels.map((label) => label.toString('utf8'));
  return {
    name: texts.join('.'),
    printable: labels.every((label, i) => !label.includes(0x2e) && label.equals(Buffer.from(texts[i] ?? ''))),
    type: message.readUInt16BE(at),
    class: message.readUInt16BE(at + 2),
    wire: message.subarray(HEADER_BYTES, at + 4),
  };
}

/** False when the header promises more records than the message has room for: such counts cost memory to believe. */
export function isPlausible(header: Header, message: Buffer): boolean {
  const [questions, ...records] = header.counts;
  const least = questions * 5 + records.reduce((sum, count) => sum + count, 0) * MIN_RECORD_BYTES;
  return HEADER_BYTES + least <= message.length;
}
