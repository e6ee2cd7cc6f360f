/**
 * What became of the queries to one nameserver, by the names of HAProxy's `show resolvers` (management guide,
 * section 9.3). Numbers only rise.
 */
export interface NameserverCounters {
  /** Queries sent, repetitions over TCP and without EDNS0 included. */
  sent: number;
  /** Queries that could not be sent, or whose connection broke. */
  sendError: number;
  /** Replies without error that could be read. */
  valid: number;
  /** Replies that decided a look-up. */
  update: number;
  /** Replies that held a CNAME, and those whose CNAMEs lead nowhere. */
  cname: number;
  cnameError: number;
  /** Replies without error that had no record of the type asked for. */
  anyErr: number;
  nx: number;
  /** Queries that nothing had come back for when the next was due. */
  timeout: number;
  refused: number;
  /** Other errors: SERVFAIL, a query not understood, a referral to somebody else. */
  other: number;
  /** Messages that could not be read, or that answered no query that was waiting. */
  invalid: number;
  /** Replies larger than had been announced. */
  tooBig: number;
  /** Replies cut short. */
  truncated: number;
  /** Replies to a query that had been repeated already. */
  outdated: number;
}

export type Count = (what: keyof NameserverCounters) => void;

export function newNameserverCounters(): NameserverCounters {
  return {
    ...{ sent: 0, sendError: 0, valid: 0, update: 0, cname: 0, cnameError: 0, anyErr: 0, nx: 0 },
    ...{ timeout: 0, refused: 0, other: 0, invalid: 0, tooBig: 0, truncated: 0, outdated: 0 },
  };
}
