import type { Answer, DnsRecord } from './lookup.ts';

/** How large a reply may be. */
export interface SizeLimit {
  /** Of the whole message, with one answer. */
  readonly bytes: number;
  /** The same with more answers than one: Consul keeps clear of the limit. */
  readonly bytesOfMany: number;
  /** Of answer records. */
  readonly answers: number;
  /**
   * Where there are more answers than {@link answers}, the rest has to fit as it would be without compression, as in
   * Consul: for whoever writes it anew on the way.
   */
  readonly countsPlain: boolean;
  /** Say with the TC bit that answers were left out, so that resolvers ask again over TCP. */
  readonly markTruncated: boolean;
}

/** A message, and how long it would be without compression. */
export interface Encoded {
  readonly wire: Buffer;
  readonly plainBytes: number;
}

/** Encodes an answer, without or with the TC bit. */
export type Encode = (answer: Answer, truncated: boolean) => Encoded;

/**
 * Encodes as much of an answer as the limit allows. What goes first is what helps least: TXT records beside SRV
 * answers, then answers from the end (they are in random order, so each has its turn), then the addresses
 * beside the last one. At least one answer is kept whenever it fits at all; if none does, the TC bit is set
 * whatever was configured, for an empty reply would be a lie.
 */
export function encodeWithin(answer: Answer, limit: SizeLimit, encode: Encode): Buffer {
  const total = answer.answers.length;
  const most = Math.min(total, limit.answers);
  if (most === total) {
    const { wire } = encode(answer, false);
    if (wire.length <= (total > 1 ? limit.bytesOfMany : limit.bytes)) return wire;
  }
  const attempt = (count: number) =>
    encode(firstAnswers(answer, count), limit.markTruncated && count < total);
  const countsPlain = limit.countsPlain && most < total;
  const sizeOf = ({ wire, plainBytes }: Encoded) => (countsPlain ? plainBytes : wire.length);
  // Records of one answer are much alike, so the size at one count tells the count that will fit: a search by
  // halves would encode large answers ten times, and strangers choose how often that happens.
  const empty = sizeOf(attempt(0));
  for (let count = most; count > 1; ) {
    const encoded = attempt(count);
    const size = sizeOf(encoded);
    if (size <= limit.bytesOfMany) return encoded.wire;
    const likely = Math.floor((count * (limit.bytesOfMany - empty)) / (size - empty));
    count = Math.min(likely, count - 1);
  }
  const withAddress = attempt(1).wire;
  if (withAddress.length <= limit.bytes) return withAddress;
  const alone = encode(
    { ...answer, answers: answer.answers.slice(0, 1), additionals: [] },
    limit.markTruncated,
  ).wire;
  if (alone.length <= limit.bytes) return alone;
  return encode({ ...answer, answers: [], authorities: [], additionals: [] }, true).wire;
}

/** The first `count` answers, with one address record for each target among them. */
function firstAnswers(answer: Answer, count: number): Answer {
  const answers = answer.answers.slice(0, count);
  const targets = new Set<string>();
  for (const record of answers) {
    if (record.type === 'SRV') targets.add(record.data.target);
    if (record.type === 'NS') targets.add(record.data);
  }
  const additionals: DnsRecord[] = [];
  for (const record of answer.additionals) {
    if (record.type !== 'TXT' && targets.delete(record.name)) additionals.push(record);
  }
  return { ...answer, answers, additionals };
}
