import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import { familyOf, formatAddress, parseAddress } from './address.ts';
import { type Asker, askAll, type ClientConfig, MAX_OPEN_TRIES, type Verdict } from './ask-all.ts';
import type { AddressRecord, ResolvedRecord } from './follow.ts';
import { Gate } from './gate.ts';
import { KeptConnections } from './kept-connections.ts';
import { isHostname, withoutTrailingDot } from './names.ts';
import { type NameserverCounters, newNameserverCounters } from './nameserver-counters.ts';
import type { LookupType } from './reply.ts';
import { SharedQueries } from './shared-queries.ts';
import type { Asking } from './transaction.ts';

export type { ClientConfig } from './ask-all.ts';
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

/** Sockets of one section at once, more or less: each query in flight has one for each nameserver and open try. */
const MAX_SOCKETS = 1_024;
const MAX_IN_FLIGHT = 256;
const MIN_IN_FLIGHT = 8;
const MAX_WAITING = 8_192;
const EMPTY: DnsReply = { rcode: 'NOERROR', records: [], additionals: [] };

/**
 * Asks the nameservers of one `resolvers` section; who asks for the same at the same time shares the query. Keeps
 * nothing: whoever asks decides how long an answer holds.
 */
export class NameserverClient {
  readonly #config: ClientConfig;
  readonly #asker: Asker;
  readonly #gate: Gate;
  readonly #connections: KeptConnections;
  readonly #shared = new SharedQueries<DnsReply>();
  readonly #counters: ReadonlyMap<string, NameserverCounters>;
  #closed = false;

  constructor(config: ClientConfig, clock: Clock) {
    this.#config = config;
    this.#gate = new Gate(inFlight(config), MAX_WAITING);
    this.#counters = new Map(config.nameservers.map(({ name }) => [name, newNameserverCounters()]));
    const count: Asker['count'] = (nameserver, what) => {
      const counters = this.#counters.get(nameserver);
      if (counters) counters[what] += 1;
    };
    this.#connections = new KeptConnections(clock);
    this.#asker = { config, clock, count, overTcp: this.#connections.exchange };
  }

  /** What became of the queries to each nameserver, by its name. */
  get counters(): ReadonlyMap<string, Readonly<NameserverCounters>> {
    return this.#counters;
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

    // One signal may stand for many queries: a service with a hundred targets is no leak.
    setMaxListeners(0, signal);
    return await this.#shared.run(`${type} ${plain}`, signal, (ended) => this.#pass(plain, type, ended));
  }

  /** Ends every query and socket. */
  close(): void {
    this.#closed = true;
    this.#shared.abortAll(this.#stopping());
    this.#connections.close();
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
      const cancel = askAll(this.#asker, asking, visited, (verdict, passed) => {
        signal.removeEventListener('abort', onAbort);
        resolve({ verdict, passed });
      });
    });
  }
}

function inFlight({ nameservers, resolveRetries }: ClientConfig): number {
  const sockets = Math.max(1, nameservers.length) * Math.min(resolveRetries, MAX_OPEN_TRIES);
  return Math.max(MIN_IN_FLIGHT, Math.min(MAX_IN_FLIGHT, Math.floor(MAX_SOCKETS / sockets)));
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
