import type { SoaAnswer, SrvAnswer, StringAnswer, TxtAnswer } from 'dns-packet';
import type { CatalogReader, QueryReader } from '../registry/reader.ts';
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
  /** Where each answer can stand anywhere and be left out: what goes with each one, in the order of `answers`. */
  readonly beside?: readonly (readonly DnsRecord[])[];
  /** Said by a zone that does not know; whoever has recursors asks them instead. */
  readonly outside?: boolean;
}

/** The part of the registry that answers are made of. */
export interface AnswerReader
  extends Pick<CatalogReader, 'self' | 'datacenter' | 'index' | 'entries' | 'services' | 'nodes' | 'node'> {
  readonly queries: Pick<QueryReader, 'find'>;
}

/** What an operator may choose about answers (Consul's `dns_config`). Times in seconds. */
export interface AnswerPolicy {
  /** Also leave out instances whose worst check is a warning. */
  readonly onlyPassing: boolean;
  /** Warnings count as failures everywhere: prepared queries leave them out, too. */
  readonly warningsFail: boolean;
  /** By service, in lower case; `web*` is for all that begin so, `*` for all others. */
  readonly serviceTtls: Readonly<Record<string, number>>;
  /** Node, address and NS records. */
  readonly nodeTtl: number;
  /** Address records in one answer, however large it may be; 0: all. */
  readonly aRecordLimit: number;
  /** Say that addresses nobody has do not exist, instead of failing. */
  readonly ptrNxdomain: boolean;
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
  warningsFail: false,
  serviceTtls: {},
  nodeTtl: 0,
  aRecordLimit: 0,
  ptrNxdomain: false,
  soa: { refresh: 3600, retry: 600, expire: 86_400, minTtl: 0 },
};

export interface AnswerOptions {
  readonly domain: string;
  /** A second zone with the same names; what is said of others is said in the first. */
  readonly altDomain?: string | undefined;
  readonly policy: AnswerPolicy;
  /** At least 0, less than 1. */
  readonly random: () => number;
  /** Unix seconds: the SOA serial. */
  readonly now: number;
  /** More answer records than this are of no use: they would not fit. */
  readonly maxAnswers: number;
  /** What is known of names outside the zone that CNAMEs lead to; undefined: nothing, and nobody to ask. */
  readonly outside?: ((name: string) => readonly DnsRecord[]) | undefined;
}

/** What the builders of the different kinds of answers share. */
export interface Lookup extends AnswerOptions {
  readonly zone: Zone;
  readonly reader: AnswerReader;
  /** Address and CNAME records of a name that a CNAME leads to. */
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
