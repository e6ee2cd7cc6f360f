import type { Clock } from '../core/clock.ts';
import type { Handled } from './handler.ts';
import { type AnswerPolicy, DEFAULT_ANSWER_POLICY } from './lookup.ts';
import type { RareLog } from './rare-log.ts';

/** What may be chosen about the server; defaults are Consul's. */
export interface DnsServerOptions extends AnswerPolicy {
  /** Answers in a datagram for askers that announce no size above 512 bytes. */
  readonly udpAnswerLimit: number;
  /** Set the TC bit when answers were left out. */
  readonly enableTruncate: boolean;
  /** Another zone with the same names. */
  readonly altDomain: string | undefined;
  /** Nameservers for names outside the zone, asked in this order. */
  readonly recursors: readonly { readonly host: string; readonly port: number }[];
  /** How long each of them may take, ms. */
  readonly recursorTimeout: number;
  /** Set the RA bit without recursors, too. */
  readonly recursionAvailable: boolean;
  /** TCP connections at once; one more replaces the one that has been silent the longest. */
  readonly tcpMaxConnections: number;
  /** Milliseconds a TCP connection may go without a whole query. */
  readonly tcpIdleTimeout: number;
}

export const DEFAULT_DNS_OPTIONS: DnsServerOptions = {
  ...DEFAULT_ANSWER_POLICY,
  udpAnswerLimit: 3,
  enableTruncate: false,
  altDomain: undefined,
  recursors: [],
  recursorTimeout: 2_000,
  recursionAvailable: false,
  tcpMaxConnections: 512,
  tcpIdleTimeout: 10_000,
};

/** Answers a message, or says nothing. Never throws, and promises never reject. */
export type Respond = (message: Buffer, transport: 'udp' | 'tcp') => Handled;

/** What both listeners work with. */
export interface ListenerContext {
  readonly respond: Respond;
  readonly clock: Clock;
  readonly log: RareLog;
  readonly options: DnsServerOptions;
}
