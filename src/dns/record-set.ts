import { type Answer as AnyRecord, encode } from 'dns-packet';
import type { Answer, DnsRecord } from './lookup.ts';
import { HEADER_BYTES } from './message.ts';

export const NAME_POINTER = 0xc000;
const NAME_POINTER_BYTES = 2;
export const NO_TARGET = -1;
/** Two arrays and an object: roughly. */
const UNIT_OVERHEAD_BYTES = 500;

/** One answer as it is sent, its name a pointer to the question, with what goes with it. */
export interface Unit {
  readonly answer: Uint8Array;
  readonly beside: Uint8Array;
  /** Where in `beside` a pointer to the answer's target has to be set. */
  readonly pointers: readonly number[];
  /** Records in `beside`. */
  readonly records: number;
  /** Answers with the same number need their address only once. */
  readonly target: number;
  /** Lengths of both without compression. */
  readonly plainAnswerBytes: number;
  readonly plainBesideBytes: number;
}

/** All that may be said to one question, encoded: whoever answers chooses from it. */
export class RecordSet {
  /** Code and flags of the answer, without records. */
  readonly head: Answer;
  /** With everything that goes with each answer. */
  readonly whole: readonly Unit[];
  /** What is left where not all fits: with one address of each target. */
  readonly trimmed: readonly Unit[];
  /** Indexes of the units, in the order of the last reply. */
  readonly order: Uint16Array;
  /** By target: the last pass over units that has met it. */
  readonly stamps: Uint32Array;
  /** Roughly, for whoever has to bound what is kept. */
  readonly bytes: number;
  /** By number of answers: bytes of that many of the largest ones. */
  readonly #largest: readonly number[];
  #stamp = 0;

  /** @param answer all of it, with `beside` */
  constructor(answer: Answer) {
    const { answers, beside = [] } = answer;
    this.head = { ...answer, answers: [], additionals: [], beside: [] };
    this.whole = answers.map((record, i) => unitOf(record, beside[i] ?? [], NO_TARGET));
    this.trimmed = beside.every(({ length }) => length === 0) ? this.whole : trimmed(answers, beside);
    this.order = Uint16Array.from(answers, (_, i) => i);
    this.stamps = new Uint32Array(answers.length);
    const sizes = this.whole.map(sizeOf).sort((a, b) => b - a);
    let total = 0;
    this.#largest = [0, ...sizes.map((size) => (total += size))];
    const each = this.trimmed === this.whole ? 1 : 2;
    this.bytes = each * (total + answers.length * UNIT_OVERHEAD_BYTES);
  }

  /** Bytes that `count` answers with everything beside them have at most. */
  wholeBytes(count: number): number {
    return this.#largest[count] ?? 0;
  }

  /** A number that no pass over the units has had. */
  nextStamp(): number {
    if (this.#stamp === 0xffffffff) {
      this.stamps.fill(0);
      this.#stamp = 0;
    }
    this.#stamp += 1;
    return this.#stamp;
  }
}

export function sizeOf({ answer, beside }: Unit): number {
  return answer.length + beside.length;
}

function trimmed(answers: readonly DnsRecord[], beside: readonly (readonly DnsRecord[])[]): readonly Unit[] {
  const targets = new Map<string, number>();
  return answers.map((record, i) => {
    const target = record.type === 'SRV' ? record.data.target : undefined;
    const address = beside[i]?.find((one) => one.type !== 'TXT' && one.name === target);
    if (target === undefined || !address) return unitOf(record, [], NO_TARGET);
    const known = targets.get(target) ?? targets.size;
    targets.set(target, known);
    return unitOf(record, [address], known);
  });
}

function unitOf(record: DnsRecord, beside: readonly DnsRecord[], target: number): Unit {
  const name = record.type === 'SRV' ? record.data.target : undefined;
  const plain = recordBytes(record);
  const parts: Uint8Array[] = [];
  const pointers: number[] = [];
  let at = 0;
  let plainBesideBytes = 0;
  for (const one of beside) {
    const wire = recordBytes(one);
    const part = one.name === name ? withPointer(wire, 0) : wire;
    if (one.name === name) pointers.push(at);
    parts.push(part);
    at += part.length;
    plainBesideBytes += wire.length;
  }
  return {
    answer: withPointer(plain, NAME_POINTER | HEADER_BYTES),
    beside: new Uint8Array(Buffer.concat(parts)),
    pointers,
    records: parts.length,
    target,
    plainAnswerBytes: plain.length,
    plainBesideBytes,
  };
}

/** A record as dns-packet writes it, with its name in full. */
export function recordBytes(record: AnyRecord): Uint8Array {
  return new Uint8Array(encode({ type: 'response', answers: [record] }).subarray(HEADER_BYTES));
}

/** The same record with a pointer in place of its name. */
function withPointer(wire: Uint8Array, pointer: number): Uint8Array {
  let end = 0;
  while (wire[end]) end += 1 + (wire[end] ?? 0);
  const rest = wire.subarray(end + 1);
  const out = new Uint8Array(NAME_POINTER_BYTES + rest.length);
  out.set(rest, NAME_POINTER_BYTES);
  out[0] = pointer >> 8;
  out[1] = pointer & 0xff;
  return out;
}
