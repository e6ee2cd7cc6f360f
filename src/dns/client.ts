import { randomInt } from 'node:crypto';
import type { ResolversConfig } from '../config/runtime/resolvers.ts';
import type { Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import { familyOf, formatAddress, parseAddress } from './address.ts';
import { askAll, type Verdict } from './ask-all.ts';
import type { AddressRecord, ResolvedRecord } from './follow.ts';
import { Gate } from './gate.ts';
import { isHostname, withoutTrailingDot } from './names.ts';
import type { LookupType } from './reply.ts';
import type { Asking } from './transaction.ts';

export type { AddressRecord, ResolvedRecord, SrvRecord } from './follow.ts';
export type { LookupType } from './reply.ts';

/** What nameservers know about a name. No records with NOERROR: the name exists, records of this type do not. */
export type DnsReply =
  | {
      readonly rcode: 'NOERROR';
      /** Of the type asked for, at the end of the CNAMEs. */
      readonly records: readonly ResolvedRecord[];
      /** Addresses of SRV targets that the nameserver sent along; seldom all, often none. */
      readonly additionals: readonly AddressRecord[];
    }
  | { readonly rcode: 'NXDOMAIN' };

/** Queries in flight at once; each has a socket per nameserver and try. */
const MAX_IN_FLIGHT = 256;
const MAX_WAITING = 8_192;
const EMPTY: DnsReply = { rcode: 'NOERROR', records: [], additionals: [] };

/** Asks the nameservers of one `resolvers` section. Keeps nothing: whoever asks decides how long an answer holds. */
export class NameserverClient {
  readonly #config: ResolversConfig;
  readonly #clock: Clock;
  readonly #gate = new Gate(MAX_IN_FLIGHT, MAX_WAITING);
  /** One for every query that is running or waiting, so that {@link close} can end it. */
  readonly #running = new Set<AbortController>();
  #closed = false;

  constructor(config: ResolversConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /**
   * Looks one name up. Takes at most `resolve_retries` × `timeout retry`, once more for every CNAME that leaves
   * its answer. An IP address stands for itself and is not asked for.
   *
   * Rejects with RESOLVE_TIMEOUT (nobody answered), RESOLVE_REFUSED (nothing but refusals), RESOLVE_FAILED, with
   * STOPPING after {@link close}, or with the signal's reason.
   */
  async query(name: string, type: LookupType, signal: AbortSignal): Promise<DnsReply> {
    const literal = literalReply(name, type);
    if (literal) return literal;
    const plain = withoutTrailingDot(name).toLowerCase();
    if (!isHostname(plain)) throw new VaneError('RESOLVE_FAILED', `${name} is not a host name`);
    if (signal.aborted) throw signal.reason;
    if (this.#closed) throw this.#stopping();

    const ended = new AbortController();
    const onAbort = () => ended.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#running.add(ended);
    try {
      return await this.#pass(plain, type, ended.signal);
    } finally {
      this.#running.delete(ended);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends every query and socket. */
  close(): void {
    this.#closed = true;
    for (const ended of this.#running) ended.abort(this.#stopping());
  }

  #stopping(): VaneError {
    return new VaneError('STOPPING', `resolvers ${this.#config.id} are closed`);
  }

  async #pass(name: string, type: LookupType, signal: AbortSignal): Promise<DnsReply> {
    await this.#gate.enter(signal);
    try {
      return await this.#resolve(name, type, signal);
    } finally {
      this.#gate.leave();
    }
  }

  async #resolve(name: string, type: LookupType, signal: AbortSignal): Promise<DnsReply> {
    let current = name;
    let visited: ReadonlySet<string> = new Set();
    for (;;) {
      const { verdict, passed } = await this.#ask(current, type, visited, signal);
      switch (verdict.kind) {
        case 'records':
          return { rcode: 'NOERROR', records: verdict.records, additionals: verdict.additionals };
        case 'nxdomain':
          return { rcode: 'NXDOMAIN' };
        case 'failed':
          throw verdict.error;
        case 'alias':
          current = verdict.target;
          visited = passed;
      }
    }
  }

  #ask(
    name: string,
    type: LookupType,
    visited: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<{ verdict: Verdict; passed: ReadonlySet<string> }> {
    const asking: Asking = { name, type, payloadSize: this.#config.acceptedPayloadSize, randomId };
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const cancel = askAll(this.#config, asking, visited, this.#clock, (verdict, passed) => {
        signal.removeEventListener('abort', onAbort);
        resolve({ verdict, passed });
      });
    });
  }
}

function randomId(): number {
  return randomInt(0x10000);
}

function literalReply(name: string, type: LookupType): DnsReply | undefined {
  const bytes = parseAddress(name);
  if (!bytes) return undefined;
  const family = familyOf(bytes);
  if (family !== type) return EMPTY;
  return {
    rcode: 'NOERROR',
    records: [{ type: family, name, address: formatAddress(bytes), ttl: 0 }],
    additionals: [],
  };
}
