import { replyOpt } from './edns.ts';
import { type Query, replyFlags } from './handler.ts';
import { FLAG_TRUNCATED, HEADER_BYTES } from './message.ts';
import { NAME_POINTER, type RecordSet, recordBytes, sizeOf, type Unit } from './record-set.ts';

/** Offsets beyond this do not fit a pointer. */
const MAX_OFFSET = 0x3fff;
/** Where the target of an SRV record begins: after a pointer, type, class, TTL, length, priority, weight and port. */
const TARGET_AT = 2 + 10 + 6;
const NO_BYTES = new Uint8Array(0);

/** How a {@link RecordSet} is cut to what one query leaves room for. */
interface Cut {
  /** What the units are chosen from. */
  readonly units: readonly Unit[];
  /** Answers there are, and how many of them are given at most. */
  readonly count: number;
  readonly most: number;
  /** Bytes of the whole message, where there is more than one answer. */
  readonly room: number;
  /** Whether units are measured without compression. */
  readonly countsPlain: boolean;
  readonly markTruncated: boolean;
}

/**
 * The replies to one query, made but for the choice and order of the records, which are new each time: as
 * `encodeWithin` would choose them, at a fraction of the cost.
 */
export class PackedAnswer {
  readonly #set: RecordSet;
  readonly #cut: Cut;
  readonly #questionEnd: number;
  readonly #flags: number;
  readonly #opt: Uint8Array;

  private constructor(set: RecordSet, cut: Cut, query: Query, flags: number, opt: Uint8Array) {
    this.#set = set;
    this.#cut = cut;
    this.#questionEnd = questionEnd(query);
    this.#flags = flags;
    this.#opt = opt;
  }

  /**
   * Undefined where each reply has to be cut with more care: a record alone does not fit, or is too far back for a
   * pointer.
   *
   * @param most answers that may be given even where there is room for more
   */
  static of(
    set: RecordSet,
    query: Query,
    most: number,
    recursionAvailable: boolean,
  ): PackedAnswer | undefined {
    const { limit } = query;
    const opt = query.edns ? recordBytes(replyOpt(query.edns, 0)) : NO_BYTES;
    const count = Math.min(set.whole.length, most);
    const fixedBytes = questionEnd(query) + opt.length;

    const wholeBytes = fixedBytes + set.wholeBytes(count);
    const fits = count <= limit.answers && wholeBytes <= (count > 1 ? limit.bytesOfMany : limit.bytes);
    const units = fits ? set.whole : set.trimmed;
    const room = fits ? wholeBytes : limit.bytesOfMany;
    if (room > MAX_OFFSET) return undefined;
    if (!fits && units.some((unit) => fixedBytes + sizeOf(unit) > limit.bytes)) return undefined;
    const cut: Cut = {
      units,
      count,
      most: Math.min(count, limit.answers),
      room,
      countsPlain: limit.countsPlain && count > limit.answers,
      markTruncated: limit.markTruncated,
    };
    return new PackedAnswer(set, cut, query, replyFlags(query.header, set.head, { recursionAvailable }), opt);
  }

  /** The reply to a query that differs from the one this was made for by its id alone. */
  reply(message: Uint8Array, random: () => number): Buffer {
    const { units, most, countsPlain } = this.#cut;
    const { order, stamps } = this.#set;
    const room = this.#cut.room - this.#opt.length;
    const stamp = this.#set.nextStamp();
    let size = this.#questionEnd;
    let measured = size;
    let taken = 0;
    let records = 0;
    while (taken < most) {
      // The last order is as good a start as any: what is drawn from a shuffled deck is as random as from a new one.
      const at = taken + Math.floor(random() * (order.length - taken));
      const drawn = order[at] ?? 0;
      const unit = units[drawn];
      if (unit === undefined) break;
      const isNew = unit.target < 0 || stamps[unit.target] !== stamp;
      const answerBytes = countsPlain ? unit.plainAnswerBytes : unit.answer.length;
      const besideBytes = countsPlain ? unit.plainBesideBytes : unit.beside.length;
      const grown = measured + answerBytes + (isNew ? besideBytes : 0);
      if (grown > room && taken > 0) break;
      order[at] = order[taken] ?? 0;
      order[taken] = drawn;
      measured = grown;
      size += unit.answer.length;
      taken += 1;
      if (!isNew) continue;
      size += unit.beside.length;
      records += unit.records;
      if (unit.target >= 0) stamps[unit.target] = stamp;
    }
    return this.#write(message, size + this.#opt.length, taken, records);
  }

  #write(message: Uint8Array, size: number, taken: number, records: number): Buffer {
    const { units, count, markTruncated } = this.#cut;
    const { order, stamps } = this.#set;
    const out = Buffer.allocUnsafe(size);
    copy(message, out, 0, this.#questionEnd);
    setUint16(out, 2, markTruncated && taken < count ? this.#flags | FLAG_TRUNCATED : this.#flags);
    setUint16(out, 6, taken);
    setUint16(out, 8, 0);
    setUint16(out, 10, records + (this.#opt.length > 0 ? 1 : 0));

    const stamp = this.#set.nextStamp();
    let answerAt = this.#questionEnd;
    let besideAt = answerAt;
    for (let i = 0; i < taken; i++) besideAt += units[order[i] ?? 0]?.answer.length ?? 0;
    for (let i = 0; i < taken; i++) {
      const unit = units[order[i] ?? 0];
      if (unit === undefined) break;
      copy(unit.answer, out, answerAt, unit.answer.length);
      if (unit.target < 0 || stamps[unit.target] !== stamp) {
        copy(unit.beside, out, besideAt, unit.beside.length);
        for (const pointer of unit.pointers) {
          setUint16(out, besideAt + pointer, NAME_POINTER | (answerAt + TARGET_AT));
        }
        besideAt += unit.beside.length;
        if (unit.target >= 0) stamps[unit.target] = stamp;
      }
      answerAt += unit.answer.length;
    }
    copy(this.#opt, out, besideAt, this.#opt.length);
    return out;
  }
}

function questionEnd({ question }: Query): number {
  return HEADER_BYTES + question.wire.length;
}

/** Records are so short that calling the engine's own copy would take longer. */
function copy(from: Uint8Array, to: Uint8Array, at: number, length: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[i] ?? 0;
}

function setUint16(to: Uint8Array, at: number, value: number): void {
  to[at] = value >> 8;
  to[at + 1] = value & 0xff;
}
