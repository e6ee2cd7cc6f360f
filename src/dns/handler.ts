import { encode } from 'dns-packet';
import { answer } from './answer.ts';
import { compressNames } from './compress.ts';
import { BADVERS_EXTENDED_RCODE, type Edns, readEdns, replyOpt } from './edns.ts';
import { type Encoded, encodeWithin, type SizeLimit } from './fit.ts';
import {
  type Answer,
  type AnswerOptions,
  type AnswerPolicy,
  type AnswerReader,
  bare,
  type DnsRecord,
  type QuestionType,
  type Rcode,
} from './lookup.ts';
import {
  FLAG_AUTHORITATIVE,
  FLAG_RECURSION_AVAILABLE,
  FLAG_RECURSION_DESIRED,
  FLAG_RESPONSE,
  FLAG_TRUNCATED,
  HEADER_BYTES,
  type Header,
  isPlausible,
  MAX_MESSAGE_BYTES,
  OPCODE_MASK,
  type Question,
  readHeader,
  readQuestion,
} from './message.ts';
import { isInZone } from './names.ts';
import { type AskedElsewhere, askedElsewhere, type OtherDatacenters, readerOf } from './other-datacenters.ts';
import type { Recursors } from './recursors.ts';

/** What the server's handler needs to answer; nothing of it is a socket of its own. */
export interface HandlerContext {
  readonly reader: AnswerReader;
  readonly domain: string;
  readonly altDomain?: string | undefined;
  readonly policy: AnswerPolicy;
  /** Answers in a datagram for askers that announce no size above 512 bytes (Consul: `udp_answer_limit`). */
  readonly udpAnswerLimit: number;
  /** Set the TC bit when answers were left out (Consul: `enable_truncate`). */
  readonly enableTruncate: boolean;
  /** Set the RA bit, although nobody may be asked for other names. */
  readonly recursionAvailable?: boolean;
  /** Who knows names outside the zone; undefined: they are refused. */
  readonly recursors?: Pick<Recursors, 'forward' | 'addressesOf'> | undefined;
  /** Who knows names in other datacenters; undefined: there are no others. */
  readonly datacenters?: OtherDatacenters | undefined;
  readonly random: () => number;
  /** Unix seconds. */
  readonly now: () => number;
}

/** Of a server that asks nobody else, and so answers at once. */
export type LonelyContext = HandlerContext & {
  readonly recursors?: undefined;
  readonly datacenters?: undefined;
};

/** A reply, or none; a promise where others have to be asked first, which never rejects. */
export type Handled = Buffer | undefined | Promise<Buffer | undefined>;

/** A query that deserves an answer. */
export interface Query {
  readonly header: Header;
  readonly question: Question;
  readonly edns: Edns | undefined;
  readonly limit: SizeLimit;
}

const RCODES: Readonly<Record<Rcode, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
};

const TYPES: ReadonlyMap<number, QuestionType> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [255, 'ANY'],
]);
const SRV = 33;
const IXFR = 251;
const AXFR = 252;
const CLASS_IN = 1;
const CLASS_ANY = 255;

/** Without EDNS0 a datagram holds this much (RFC 1035 section 2.3.4). */
const PLAIN_UDP_BYTES = 512;
/** However much the asker would take: a forged source address must not make this server a cannon. */
const MAX_UDP_BYTES = 4096;
/** Consul never sends more than this many answers to small askers, whatever `udp_answer_limit` says. */
const MAX_PLAIN_ANSWERS = 8;
/** A pointer, type, class, TTL, length and an IPv4 address. */
const MIN_ANSWER_BYTES = 16;
/** Consul's limits for replies over TCP: of answers, of SRV answers, and of the message. */
const MAX_TCP_ANSWERS = 4096;
const MAX_TCP_SERVICES = 1024;
const MAX_TCP_BYTES = 65_523;
/** What Consul leaves free of a datagram with several answers. */
const UDP_MARGIN_BYTES = 7;
/** OPT and perhaps a signature; nobody asks with more. */
const MAX_QUERY_ADDITIONALS = 4;
/** Names that others are asked about for one answer. */
const MAX_OUTSIDE_NAMES = 8;

/**
 * Answers one message from a stranger. Undefined: nothing may be said (a reply instead of a query, or no header).
 * Messages that cannot be read get FORMERR, what this server does not do gets NOTIMP.
 */
export function handleMessage(
  message: Buffer,
  transport: 'udp' | 'tcp',
  context: LonelyContext,
): Buffer | undefined;
export function handleMessage(message: Buffer, transport: 'udp' | 'tcp', context: HandlerContext): Handled;
export function handleMessage(message: Buffer, transport: 'udp' | 'tcp', context: HandlerContext): Handled {
  const query = readQuery(message, transport, context);
  if (query === undefined || Buffer.isBuffer(query)) return query;
  const elsewhere = elsewhereOf(query.question, context);
  return elsewhere
    ? answerElsewhere(message, query, transport, elsewhere, context)
    : answerQuery(message, query, transport, context);
}

/** What another datacenter has to be asked for; undefined: nothing. */
export function elsewhereOf(question: Question, context: HandlerContext): AskedElsewhere | undefined {
  const { datacenters, reader, domain, altDomain } = context;
  if (!datacenters || (question.class !== CLASS_IN && question.class !== CLASS_ANY)) return undefined;
  return askedElsewhere(question, { domain, altDomain, datacenter: reader.datacenter }, datacenters);
}

function answerElsewhere(
  message: Buffer,
  query: Query,
  transport: 'udp' | 'tcp',
  { datacenter, wanted }: AskedElsewhere,
  context: HandlerContext,
): Handled {
  const told = context.datacenters?.ask(datacenter, wanted);
  const answer = (found: Awaited<typeof told>) =>
    found
      ? answerQuery(message, query, transport, { ...context, reader: readerOf(datacenter, found) })
      : encodeAnswer(query, bare('SERVFAIL', { authoritative: false }), context);
  return told instanceof Promise ? told.then(answer) : answer(told);
}

function answerQuery(
  message: Buffer,
  query: Query,
  transport: 'udp' | 'tcp',
  context: HandlerContext,
): Handled {
  const { question, limit } = query;
  // One more than may be sent: whoever cuts the answer has to know that there is more.
  const most = limit.answers + 1;
  const { recursors } = context;
  if (!recursors) return encodeAnswer(query, answerQuestion(question, most, context), context);

  const wanted = new Set<string>();
  const draws: number[] = [];
  const first = answerQuestion(question, most, {
    ...context,
    random: () => {
      const drawn = context.random();
      draws.push(drawn);
      return drawn;
    },
    outside: (name) => {
      wanted.add(name);
      return [];
    },
  });
  if (first.outside) return forward(message, query, transport, recursors, context);
  if (wanted.size === 0) return encodeAnswer(query, first, context);
  return completed(query, [...wanted].slice(0, MAX_OUTSIDE_NAMES), draws, recursors, context);
}

/** The answer once more, in the same order, with what others know of the names in it. */
async function completed(
  query: Query,
  names: readonly string[],
  draws: readonly number[],
  recursors: Pick<Recursors, 'addressesOf'>,
  context: HandlerContext,
): Promise<Buffer> {
  const known = new Map<string, readonly DnsRecord[]>();
  await Promise.all(names.map(async (name) => known.set(name, await recursors.addressesOf(name))));
  let drawn = 0;
  const answer = answerQuestion(query.question, query.limit.answers + 1, {
    ...context,
    random: () => draws[drawn++] ?? context.random(),
    outside: (name) => known.get(name) ?? [],
  });
  return encodeAnswer(query, answer, context);
}

async function forward(
  message: Buffer,
  query: Query,
  transport: 'udp' | 'tcp',
  recursors: Pick<Recursors, 'forward'>,
  context: HandlerContext,
): Promise<Buffer> {
  const reply = await recursors.forward(message, query.question, transport);
  if (!reply) return encodeAnswer(query, bare('SERVFAIL', { authoritative: false }), context);
  if (reply.length <= query.limit.bytes) return reply;
  return encodeReply(query.header, query.question, bare('NOERROR', { authoritative: false }), {
    edns: query.edns,
    truncated: true,
    recursionAvailable: true,
  }).wire;
}

/** A query, or what has to be said to a message that is none. Undefined: nothing. */
export function readQuery(
  message: Buffer,
  transport: 'udp' | 'tcp',
  context: HandlerContext,
): Query | Buffer | undefined {
  const header = readHeader(message);
  // Answering replies would let two servers talk to each other for ever.
  if (!header || (header.flags & FLAG_RESPONSE) !== 0) return undefined;
  if ((header.flags & OPCODE_MASK) !== 0) return refuse(header, undefined, 'NOTIMP');

  const [questions, answers, authorities, additionals] = header.counts;
  const question = questions === 1 && isPlausible(header, message) ? readQuestion(message) : undefined;
  if (!question) return refuse(header, undefined, 'FORMERR');
  if (question.type === AXFR || question.type === IXFR) return refuseTransfer(header, question, context);
  if (answers > 0 || authorities > 0 || additionals > MAX_QUERY_ADDITIONALS) {
    return refuse(header, question, 'FORMERR');
  }
  let edns: Edns | undefined;
  try {
    edns = additionals > 0 ? readEdns(message) : undefined;
  } catch {
    return refuse(header, question, 'FORMERR');
  }
  if (edns && edns.version > 0) {
    return encodeReply(header, question, NOTHING, { edns, badVersion: true }).wire;
  }
  return { header, question, edns, limit: sizeLimit(transport, question.type, edns, context) };
}

/** As much of an answer as may be sent. */
export function encodeAnswer(
  { header, question, edns, limit }: Query,
  reply: Answer,
  context: HandlerContext,
): Buffer {
  const options = {
    // Consul's refusals carry no OPT record.
    edns: reply.rcode === 'REFUSED' ? undefined : edns,
    recursionAvailable: isRecursionAvailable(context),
  };
  return encodeWithin(reply, limit, (part, truncated) =>
    encodeReply(header, question, part, { ...options, truncated }),
  );
}

/** Whether replies say that this server resolves other names, too. */
export function isRecursionAvailable({ recursors, recursionAvailable }: HandlerContext): boolean {
  return recursors !== undefined || recursionAvailable === true;
}

/** The reply to a message whose answer could not be made; undefined where nothing may be said. */
export function serverFailure(message: Buffer): Buffer | undefined {
  const header = readHeader(message);
  if (!header || (header.flags & FLAG_RESPONSE) !== 0) return undefined;
  const question = header.counts[0] === 1 ? readQuestion(message) : undefined;
  return refuse(header, question, 'SERVFAIL');
}

const NOTHING: Answer = bare('NOERROR', { authoritative: false });

/** @param context.outside see {@link AnswerOptions} */
export function answerQuestion(
  question: Question,
  maxAnswers: number,
  context: HandlerContext & Pick<AnswerOptions, 'outside'>,
): Answer {
  if (question.class !== CLASS_IN && question.class !== CLASS_ANY) {
    return bare('REFUSED', { authoritative: false });
  }
  const { reader, domain, altDomain, policy, random, outside } = context;
  const options = { domain, altDomain, policy, random, now: context.now(), maxAnswers, outside };
  if (!question.printable && isInZone(question.name, context)) {
    // No name in the registry looks like that, and it must not be mistaken for one that does.
    return answer({ name: domain, type: 'other' }, reader, options);
  }
  return answer({ name: question.name, type: TYPES.get(question.type) ?? 'other' }, reader, options);
}

function refuseTransfer(header: Header, question: Question, context: HandlerContext): Buffer {
  if (!isInZone(question.name, context)) {
    return refuse(header, question, 'REFUSED');
  }
  return encodeReply(header, question, bare('NOTIMP', { authoritative: true }), {}).wire;
}

function refuse(header: Header, question: Question | undefined, rcode: Rcode): Buffer {
  return encodeReply(header, question, bare(rcode, { authoritative: false }), {}).wire;
}

function sizeLimit(
  transport: 'udp' | 'tcp',
  type: number,
  edns: Edns | undefined,
  context: HandlerContext,
): SizeLimit {
  const markTruncated = context.enableTruncate;
  if (transport === 'tcp') {
    const answers = type === SRV ? MAX_TCP_SERVICES : MAX_TCP_ANSWERS;
    return {
      bytes: MAX_MESSAGE_BYTES,
      bytesOfMany: MAX_TCP_BYTES,
      answers,
      countsPlain: false,
      markTruncated,
    };
  }
  const bytes = Math.min(Math.max(edns?.payloadSize ?? 0, PLAIN_UDP_BYTES), MAX_UDP_BYTES);
  const isPlain = bytes === PLAIN_UDP_BYTES;
  const answers = isPlain
    ? Math.max(1, Math.min(MAX_PLAIN_ANSWERS, context.udpAnswerLimit))
    : Math.floor(bytes / MIN_ANSWER_BYTES);
  return { bytes, bytesOfMany: bytes - UDP_MARGIN_BYTES, answers, countsPlain: isPlain, markTruncated };
}

interface ReplyOptions {
  readonly edns?: Edns | undefined;
  readonly truncated?: boolean;
  readonly badVersion?: boolean;
  readonly recursionAvailable?: boolean;
}

/** The second word of a reply's header. */
export function replyFlags(
  header: Header,
  reply: Answer,
  options: Pick<ReplyOptions, 'truncated' | 'recursionAvailable'>,
): number {
  return (
    FLAG_RESPONSE |
    (header.flags & (OPCODE_MASK | FLAG_RECURSION_DESIRED)) |
    (reply.authoritative ? FLAG_AUTHORITATIVE : 0) |
    (reply.recursionAvailable || options.recursionAvailable ? FLAG_RECURSION_AVAILABLE : 0) |
    (options.truncated ? FLAG_TRUNCATED : 0) |
    RCODES[reply.rcode]
  );
}

function encodeReply(
  header: Header,
  question: Question | undefined,
  reply: Answer,
  options: ReplyOptions,
): Encoded {
  const opt = options.edns && replyOpt(options.edns, options.badVersion ? BADVERS_EXTENDED_RCODE : 0);
  const body = encode({
    type: 'response',
    id: header.id,
    flags: replyFlags(header, reply, options),
    answers: [...reply.answers],
    authorities: [...reply.authorities],
    additionals: opt ? [...reply.additionals, opt] : [...reply.additionals],
  });
  if (!question) return { wire: body, plainBytes: body.length };
  // The question goes back byte for byte: decoding and encoding it again would not keep every name as it was.
  body.writeUInt16BE(1, 4);
  const plain = Buffer.concat([body.subarray(0, HEADER_BYTES), question.wire, body.subarray(HEADER_BYTES)]);
  return { wire: compressNames(plain), plainBytes: plain.length };
}
