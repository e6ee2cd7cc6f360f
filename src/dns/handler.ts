import { encode } from 'dns-packet';
import type { CatalogReader } from '../registry/reader.ts';
import { answer } from './answer.ts';
import { compressNames } from './compress.ts';
import { BADVERS_EXTENDED_RCODE, type Edns, readEdns, replyOpt } from './edns.ts';
import { encodeWithin, type SizeLimit } from './fit.ts';
import { type Answer, type AnswerPolicy, bare, type QuestionType, type Rcode } from './lookup.ts';
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

/** What the server's handler needs to answer; nothing of it is a socket. */
export interface HandlerContext {
  readonly reader: CatalogReader;
  readonly domain: string;
  readonly policy: AnswerPolicy;
  /** Answers in a datagram for askers that announce no size above 512 bytes (Consul: `udp_answer_limit`). */
  readonly udpAnswerLimit: number;
  /** Set the TC bit when answers were left out (Consul: `enable_truncate`). */
  readonly enableTruncate: boolean;
  readonly random: () => number;
  /** Unix seconds. */
  readonly now: () => number;
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
const MAX_TCP_ANSWERS = 1024;
/** OPT and perhaps a signature; nobody asks with more. */
const MAX_QUERY_ADDITIONALS = 4;

/**
 * Answers one message from a stranger. Undefined: nothing may be said (a reply instead of a query, or no header).
 * Messages that cannot be read get FORMERR, what this server does not do gets NOTIMP.
 */
export function handleMessage(
  message: Buffer,
  transport: 'udp' | 'tcp',
  context: HandlerContext,
): Buffer | undefined {
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
  if (edns && edns.version > 0) return encodeReply(header, question, NOTHING, { edns, badVersion: true });

  const limit = sizeLimit(transport, edns, context);
  // One more than may be sent: whoever cuts the answer has to know that there is more.
  const reply = answerQuestion(question, limit.answers + 1, context);
  // Consul's refusals carry no OPT record.
  const encodeOptions = reply.rcode === 'REFUSED' ? {} : { edns };
  return encodeWithin(reply, limit, (part, truncated) =>
    encodeReply(header, question, part, { ...encodeOptions, truncated }),
  );
}

/** The reply to a message whose answer could not be made; undefined where nothing may be said. */
export function serverFailure(message: Buffer): Buffer | undefined {
  const header = readHeader(message);
  if (!header || (header.flags & FLAG_RESPONSE) !== 0) return undefined;
  const question = header.counts[0] === 1 ? readQuestion(message) : undefined;
  return refuse(header, question, 'SERVFAIL');
}

const NOTHING: Answer = bare('NOERROR', { authoritative: false });

function answerQuestion(question: Question, maxAnswers: number, context: HandlerContext): Answer {
  if (question.class !== CLASS_IN && question.class !== CLASS_ANY) {
    return bare('REFUSED', { authoritative: false });
  }
  const { reader, domain, policy, random } = context;
  const options = { domain, policy, random, now: context.now(), maxAnswers };
  const inZone = isInZone(question.name, { domain, datacenter: reader.datacenter });
  if (!question.printable && inZone) {
    // No name in the registry looks like that, and it must not be mistaken for one that does.
    return answer({ name: domain, type: 'other' }, reader, options);
  }
  return answer({ name: question.name, type: TYPES.get(question.type) ?? 'other' }, reader, options);
}

function refuseTransfer(header: Header, question: Question, context: HandlerContext): Buffer {
  const { domain, reader } = context;
  if (!isInZone(question.name, { domain, datacenter: reader.datacenter })) {
    return refuse(header, question, 'REFUSED');
  }
  return encodeReply(header, question, bare('NOTIMP', { authoritative: true }), {});
}

function refuse(header: Header, question: Question | undefined, rcode: Rcode): Buffer {
  return encodeReply(header, question, bare(rcode, { authoritative: false }), {});
}

function sizeLimit(transport: 'udp' | 'tcp', edns: Edns | undefined, context: HandlerContext): SizeLimit {
  const markTruncated = context.enableTruncate;
  if (transport === 'tcp') return { bytes: MAX_MESSAGE_BYTES, answers: MAX_TCP_ANSWERS, markTruncated };
  const bytes = Math.min(Math.max(edns?.payloadSize ?? 0, PLAIN_UDP_BYTES), MAX_UDP_BYTES);
  const answers =
    bytes === PLAIN_UDP_BYTES
      ? Math.max(1, Math.min(MAX_PLAIN_ANSWERS, context.udpAnswerLimit))
      : Math.floor(bytes / MIN_ANSWER_BYTES);
  return { bytes, answers, markTruncated };
}

interface ReplyOptions {
  readonly edns?: Edns | undefined;
  readonly truncated?: boolean;
  readonly badVersion?: boolean;
}

function encodeReply(
  header: Header,
  question: Question | undefined,
  reply: Answer,
  options: ReplyOptions,
): Buffer {
  const opt = options.edns && replyOpt(options.edns, options.badVersion ? BADVERS_EXTENDED_RCODE : 0);
  const body = encode({
    type: 'response',
    id: header.id,
    flags:
      (header.flags & (OPCODE_MASK | FLAG_RECURSION_DESIRED)) |
      (reply.authoritative ? FLAG_AUTHORITATIVE : 0) |
      (reply.recursionAvailable ? FLAG_RECURSION_AVAILABLE : 0) |
      (options.truncated ? FLAG_TRUNCATED : 0) |
      RCODES[reply.rcode],
    answers: [...reply.answers],
    authorities: [...reply.authorities],
    additionals: opt ? [...reply.additionals, opt] : [...reply.additionals],
  });
  if (!question) return body;
  // The question goes back byte for byte: decoding and encoding it again would not keep every name as it was.
  body.writeUInt16BE(1, 4);
  return compressNames(
    Buffer.concat([body.subarray(0, HEADER_BYTES), question.wire, body.subarray(HEADER_BYTES)]),
  );
}
