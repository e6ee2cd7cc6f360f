import { type Answer, decode, encode } from 'dns-packet';
import type { ErrorCode } from '../core/errors.ts';
import {
  FLAG_AUTHORITATIVE,
  FLAG_RECURSION_DESIRED,
  FLAG_RESPONSE,
  FLAG_TRUNCATED,
  isPlausible,
  OPCODE_MASK,
  RCODE_MASK,
  readHeader,
  readQuestion,
} from './message.ts';

export type LookupType = 'A' | 'AAAA' | 'SRV';

/** One question as it goes to one nameserver. */
export interface Query {
  readonly id: number;
  /** Lower case, without a trailing dot. */
  readonly name: string;
  readonly type: LookupType;
  readonly wire: Buffer;
}

/** What one message from a nameserver says to a {@link Query}. */
export type Reply =
  | {
      readonly kind: 'records';
      readonly answers: readonly Answer[];
      readonly additionals: readonly Answer[];
      readonly negative: boolean;
    }
  | { readonly kind: 'nxdomain' }
  /** Cut short: the whole of it can be had over TCP. */
  | { readonly kind: 'truncated' }
  /** The nameserver does not understand EDNS0 (RFC 6891 section 7). */
  | { readonly kind: 'no-edns' }
  | {
      readonly kind: 'error';
      readonly code: ErrorCode;
      readonly why: string;
      /** What kind of error it counts as. */
      readonly counts: 'refused' | 'other' | 'invalid';
    };

const RCODE_NAMES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const;
/** More records than any honest answer to these questions has; reading more would only cost time. */
const MAX_RECORDS = 4_096;

/** @param payloadSize announced with EDNS0; undefined: plain DNS */
export function buildQuery(
  id: number,
  name: string,
  type: LookupType,
  payloadSize: number | undefined,
): Query {
  const wire = encode({
    type: 'query',
    id,
    flags: FLAG_RECURSION_DESIRED,
    questions: [{ name, type, class: 'IN' }],
    additionals:
      payloadSize === undefined
        ? []
        : [
            {
              name: '.',
              type: 'OPT',
              udpPayloadSize: payloadSize,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
  });
  return { id, name, type, wire };
}

/**
 * Reads a message as the reply to `query`. Undefined: it is not one (another id or question, not a reply at
 * all) and says nothing about how the query will end. Names compare without case (RFC 4343).
 */
export function readReply(message: Buffer, query: Query): Reply | undefined {
  const header = readHeader(message);
  if (!header || header.id !== query.id) return undefined;
  if ((header.flags & FLAG_RESPONSE) === 0 || (header.flags & OPCODE_MASK) !== 0) return undefined;
  const rcode = RCODE_NAMES[header.flags & RCODE_MASK] ?? `RCODE${header.flags & RCODE_MASK}`;
  const [questions, ...counts] = header.counts;
  if (questions === 0) {
    // Servers that could not read the question may leave it out, but then they cannot have answered it.
    return rcode === 'NOERROR' || rcode === 'NXDOMAIN' ? undefined : failure(rcode);
  }
  if (questions !== 1 || !repeatsQuestion(message, query)) return undefined;
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') return failure(rcode);
  if ((header.flags & FLAG_TRUNCATED) !== 0) return { kind: 'truncated' };
  if (rcode === 'NXDOMAIN') return { kind: 'nxdomain' };
  if (!isPlausible(header, message) || counts.reduce((sum, count) => sum + count, 0) > MAX_RECORDS) {
    return unreadable('more records announced than sent');
  }
  try {
    const packet = decode(message);
    const answers = packet.answers ?? [];
    const authorities = packet.authorities ?? [];
    const negative = authorities.some((record) => record.type === 'SOA');
    // "Ask those" is no word about the name (RFC 2308 section 2.2): whoever says it cannot be asked.
    const isReferral =
      (header.flags & FLAG_AUTHORITATIVE) === 0 &&
      answers.length === 0 &&
      !negative &&
      authorities.some(({ type }) => type === 'NS');
    if (isReferral) return { ...LAME, why: 'referral to other nameservers' };
    return {
      kind: 'records',
      answers,
      additionals: packet.additionals ?? [],
      negative,
    };
  } catch {
    return unreadable('malformed record');
  }
}

function repeatsQuestion(message: Buffer, query: Query): boolean {
  const asked = readQuestion(query.wire);
  const repeated = readQuestion(message);
  if (!asked || !repeated || asked.wire.length !== repeated.wire.length) return false;
  return asked.wire.toString('latin1').toLowerCase() === repeated.wire.toString('latin1').toLowerCase();
}

/** A nameserver that does not do its work. */
const LAME = { kind: 'error', code: 'RESOLVE_FAILED', counts: 'other' } as const;

function failure(rcode: string): Reply {
  if (rcode === 'FORMERR' || rcode === 'NOTIMP') return { kind: 'no-edns' };
  if (rcode !== 'REFUSED') return { ...LAME, why: rcode };
  return { kind: 'error', code: 'RESOLVE_REFUSED', why: rcode, counts: 'refused' };
}

function unreadable(why: string): Reply {
  return { ...LAME, why: `unreadable reply: ${why}`, counts: 'invalid' };
}
