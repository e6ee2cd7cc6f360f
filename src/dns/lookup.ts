import type { SoaAnswer, SrvAnswer, StringAnswer, TxtAnswer } from 'dns-packet';
import type { CatalogReader } from '../registry/reader.ts';
import type { Zone } from './names.ts';

/** The record types this zone has, and all others together. */
export type QuestionType = 'A' | 'AAAA' | 'ANY' | 'CNAME' | 'NS' | 'PTR' | 'SOA' | 'SRV' | 'TXT' | 'other';

export interface DnsQuestion {
  /** As asked: answers repeat its case. Without a trailing dot. */
  readonly name: string;
  readonly type: QuestionType;
}

/** The records this zone is made of, in the form dns-packet encodes. */
export type DnsRecord = StringAnswer | SrvAnswer | SoaAnswer | TxtAnswer;

export type Rcode = 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED';

/** What is said to a question, before it is cut to the size of a datagram. */
export interface Answer {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly recursionAvailable: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** What an operator may choose about answers (Consul's `dns_config`). Times in seconds. */
export interface AnswerPolicy {
  /** Also leave out instances whose worst check is a warning. */
  readonly onlyPassing: boolean;
  readonly serviceTtl: number;
  /** Node, address and NS records. */
  readonly nodeTtl: number;
  readonly soa: {
    readonly refresh: number;
    readonly retry: number;
    readonly expire: number;
    /** How long resolvers may remember that a name does not exist. */
    readonly minTtl: number;
  };
}

/** Consul's defaults. */
export const DEFAULT_ANSWER_POLICY: AnswerPolicy = {
  onlyPassing: false,
  serviceTtl: 0,
  nodeTtl: 0,
  soa: { refresh: 3600, retry: 600, expire: 86_400, minTtl: 0 },
};

export interface AnswerOptions {
  readonly domain: string;
  readonly policy: AnswerPolicy;
  /** At least 0, less than 1. */
  readonly random: () => number;
  /** Unix seconds: the SOA serial. */
  readonly now: number;
  /** More answer records than this are of no use: they would not fit. */
  readonly maxAnswers: number;
}

/** What the builders of the different kinds of answers share. */
export interface Lookup extends AnswerOptions {
  readonly zone: Zone;
  readonly reader: CatalogReader;
  /** Address and CNAME records of a name that a CNAME leads to; none outside the zone. */
  chase(name: string, type: QuestionType): readonly DnsRecord[];
}

/** An authoritative NOERROR. */
export function found(
  answers: readonly DnsRecord[],
  additionals: readonly DnsRecord[] = [],
  authorities: readonly DnsRecord[] = [],
): Answer {
  return {
    rcode: 'NOERROR',
    authoritative: true,
    recursionAvailable: false,
    answers,
    authorities,
    additionals,
  };
}

/** An answer that holds nothing but its code. */
export function bare(rcode: Rcode, flags: { authoritative: boolean; recursionAvailable?: boolean }): Answer {
  return { rcode, recursionAvailable: false, ...flags, answers: [], authorities: [], additionals: [] };
}
