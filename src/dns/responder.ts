import type { CatalogReader } from '../registry/reader.ts';
import {
  answerQuestion,
  elsewhereOf,
  encodeAnswer,
  type Handled,
  type HandlerContext,
  handleMessage,
  isRecursionAvailable,
  readQuery,
} from './handler.ts';
import type { Answer } from './lookup.ts';
import { HEADER_BYTES, type Question } from './message.ts';
import { PackedAnswer } from './packed-answer.ts';
import { RecentMap } from './recent-map.ts';
import { RecordSet } from './record-set.ts';
import { RecordedReader, type Sources } from './recorded-reader.ts';

/** Of queries worth remembering: a name and perhaps an OPT record without options. */
const MAX_QUERY_BYTES = 300;
const OPT_BYTES = 11;
const OPT_TYPE = 41;
/** Larger replies are made anew each time. */
const MAX_KEPT_REPLY_BYTES = 4_096;
const MAX_UNITS = 512;

/** Of an entry, beside its reply: roughly. */
const ENTRY_BYTES = 300;

/** What is known about a query that was asked before. */
interface Kept {
  readonly sources: Sources;
  /** Undefined: its reply has to be made each time. */
  readonly reply: PackedAnswer | Buffer | undefined;
  /** Unix second of the SOA in the reply: its serial number is the time. Undefined: none. */
  readonly second: number | undefined;
}

/** What is known of a question. */
interface Known extends Pick<Kept, 'sources' | 'second'> {
  /** Part of it has to be asked of other nameservers, if there are any to ask. */
  readonly asksOthers: boolean;
  /** Where the answers can stand in any order. */
  readonly records: RecordSet | undefined;
  /** Where it is always the same. */
  readonly answer: Answer | undefined;
}

/**
 * Answers messages from strangers as {@link handleMessage} does, and remembers how, by the bytes of the query: an
 * answer is made once and then only ordered anew until something in the registry changes that it was made of. What
 * is remembered is bounded, and never holds what other nameservers have said.
 */
export class Responder {
  readonly #context: HandlerContext;
  readonly #recorded: RecordedReader;
  readonly #kept = {
    udp: new RecentMap<Kept>(16_384, 16 << 20),
    tcp: new RecentMap<Kept>(1_024, 4 << 20),
  };

  /** By question. */
  readonly #known = new RecentMap<Known>(4_096, 8 << 20);

  constructor(reader: CatalogReader, context: Omit<HandlerContext, 'reader'>) {
    this.#recorded = new RecordedReader(reader);
    this.#context = { ...context, reader };
  }

  /** May throw, as may what it promises. */
  respond(message: Buffer, transport: 'udp' | 'tcp'): Handled {
    if (!isMemorable(message)) return handleMessage(message, transport, this.#context);
    const key = message.toString('latin1', ID_BYTES);
    const kept = this.#kept[transport].get(key);
    if (kept !== undefined && this.#isCurrent(kept)) return this.#again(message, transport, kept);
    return this.#compile(message, transport, key);
  }

  #isCurrent({ sources, second }: Pick<Kept, 'sources' | 'second'>): boolean {
    return sources.areCurrent() && (second === undefined || second === this.#second());
  }

  #again(message: Buffer, transport: 'udp' | 'tcp', { reply }: Kept): Handled {
    if (reply === undefined) return handleMessage(message, transport, this.#context);
    if (reply instanceof PackedAnswer) return reply.reply(message, this.#context.random);
    // A copy, for the one before may still be on its way.
    const copy = Buffer.allocUnsafe(reply.length);
    copy.set(reply);
    copy[0] = message[0] ?? 0;
    copy[1] = message[1] ?? 0;
    return copy;
  }

  #compile(message: Buffer, transport: 'udp' | 'tcp', key: string): Handled {
    const query = readQuery(message, transport, this.#context);
    if (query === undefined || Buffer.isBuffer(query)) return query;
    if (elsewhereOf(query.question, this.#context)) return handleMessage(message, transport, this.#context);
    const known = this.#knownTo(query.question);
    const { sources, records, answer } = known;
    if (known.asksOthers && this.#context.recursors) {
      return handleMessage(message, transport, this.#context);
    }
    const keep = (reply: Kept['reply'], bytes: number): Kept => {
      const kept = { sources, reply, second: known.second };
      this.#kept[transport].set(key, kept, ENTRY_BYTES + key.length + bytes);
      return kept;
    };
    if (records) {
      const { aRecordLimit } = this.#context.policy;
      const most = query.question.type === SRV ? MAX_UNITS : aRecordLimit || MAX_UNITS;
      const packed = PackedAnswer.of(records, query, most, isRecursionAvailable(this.#context));
      return this.#again(message, transport, keep(packed, packed ? records.bytes : 0));
    }
    if (!answer) return this.#again(message, transport, keep(undefined, 0));
    const reply = encodeAnswer(query, answer, this.#context);
    if (reply.length <= MAX_KEPT_REPLY_BYTES) keep(Buffer.from(reply), reply.length);
    return reply;
  }

  /** What is known of a question, whoever asks it, and however large the reply may be. */
  #knownTo(question: Question): Known {
    const key = question.wire.toString('latin1');
    const before = this.#known.get(key);
    if (before !== undefined && this.#isCurrent(before)) return before;
    const known = this.#learn(question);
    const bytes = ENTRY_BYTES + key.length + (known.records?.bytes ?? 0);
    // Only what takes long to make is worth the room.
    if (known.records) this.#known.set(key, known, bytes);
    return known;
  }

  #learn(question: Question): Known {
    let draws = 0;
    let asksOthers = false;
    const { policy, random } = this.#context;
    const second = this.#second();
    this.#recorded.take();
    const answer = answerQuestion(question, MAX_UNITS + 1, {
      ...this.#context,
      reader: this.#recorded,
      // A limit of its own: each reply holds others of the records.
      policy: { ...policy, aRecordLimit: 0 },
      random: () => {
        draws += 1;
        return random();
      },
      outside: () => {
        asksOthers = true;
        return [];
      },
    });
    const { length } = answer.answers;
    const isSet = answer.beside !== undefined && length > 0;
    return {
      sources: this.#recorded.take(),
      second: holdsSoa(answer) ? second : undefined,
      asksOthers: asksOthers || answer.outside === true,
      records: isSet && length <= MAX_UNITS ? new RecordSet(answer) : undefined,
      answer: isSet || draws > 0 ? undefined : answer,
    };
  }

  #second(): number {
    return Math.floor(this.#context.now());
  }
}

const ID_BYTES = 2;
const SRV = 33;
/** Type and class. */
const QUESTION_FIXED_BYTES = 4;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;

/**
 * A query with one question in lower case and perhaps a plain OPT record. Others are rare or different each time, as
 * those with cookies or with letters in random case, and not worth remembering.
 */
function isMemorable(message: Buffer): boolean {
  const { length } = message;
  if (length < HEADER_BYTES + QUESTION_FIXED_BYTES + 1 || length > MAX_QUERY_BYTES) return false;
  const additionals = message[11] ?? 0;
  const nameEnd = length - QUESTION_FIXED_BYTES - (additionals === 0 ? 0 : OPT_BYTES);
  // Lengths of labels are below all letters.
  for (let i = HEADER_BYTES; i < nameEnd; i++) {
    const byte = message[i] ?? 0;
    if (byte >= UPPER_A && byte <= UPPER_Z) return false;
  }
  if (additionals === 0) return true;
  const opt = length - OPT_BYTES;
  return (
    additionals === 1 &&
    message[opt] === 0 &&
    message[opt + 1] === 0 &&
    message[opt + 2] === OPT_TYPE &&
    message[length - 2] === 0 &&
    message[length - 1] === 0
  );
}

function holdsSoa({ answers, authorities }: Answer): boolean {
  return [...answers, ...authorities].some(({ type }) => type === 'SOA');
}
