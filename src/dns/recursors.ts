import type { Cancel, Clock } from '../core/clock.ts';
import { exchangeTcp, exchangeUdp, type Nameserver } from './exchange.ts';
import type { DnsRecord } from './lookup.ts';
import { FLAG_RESPONSE, type Question, RCODE_MASK, readHeader, readQuestion } from './message.ts';
import { askNameserver } from './transaction.ts';

/** Queries handed on at once; each has a socket of its own. More are told that it failed. */
const MAX_IN_FLIGHT = 512;
const PAYLOAD_BYTES = 1_232;
const NOERROR = 0;
const NXDOMAIN = 3;

/** Begins to ask one nameserver; `done` is called at most once, with undefined where it does not help. */
type Ask<T> = (nameserver: Nameserver, done: (result: T | undefined) => void) => Cancel;

/**
 * Asks other nameservers what the registry's zone does not hold, as Consul does: one after the other until one says
 * something. Every query has a transaction id and a port of its own, which whoever wants to forge an answer has to guess.
 */
export class Recursors {
  readonly #nameservers: readonly Nameserver[];
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #randomId: () => number;
  /** Ends what is in flight, each as if nobody had answered. */
  readonly #running = new Set<() => void>();

  /**
   * @param config.timeout how long each nameserver may take, ms
   * @param config.randomId a transaction id: 0 to 65535, not to be guessed
   */
  constructor(config: {
    readonly nameservers: readonly { readonly host: string; readonly port: number }[];
    readonly timeout: number;
    readonly clock: Clock;
    readonly randomId: () => number;
  }) {
    this.#nameservers = config.nameservers.map(({ host, port }) => ({
      name: `${host}:${port}`,
      transport: 'udp',
      host,
      port,
    }));
    this.#timeout = config.timeout;
    this.#clock = config.clock;
    this.#randomId = config.randomId;
  }

  /**
   * The reply of the first nameserver that knows the name or that it does not exist, byte for byte but for its
   * transaction id. Undefined: none did, or too many queries are being handed on already.
   */
  forward(message: Buffer, question: Question, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    return this.#inOrder((nameserver, done) => {
      const query = Buffer.from(message);
      query.writeUInt16BE(this.#randomId(), 0);
      const exchange = transport === 'udp' ? exchangeUdp : exchangeTcp;
      return exchange(nameserver, query, {
        onMessage(reply) {
          if (!answers(reply, query, question)) return;
          const rcode = reply.readUInt16BE(2) & RCODE_MASK;
          if (rcode !== NOERROR && rcode !== NXDOMAIN) return done(undefined);
          message.copy(reply, 0, 0, 2);
          done(reply);
        },
        onError: () => done(undefined),
      });
    });
  }

  /** What an A query for a name brings: CNAMEs and addresses, none where nobody answers. */
  async addressesOf(name: string): Promise<readonly DnsRecord[]> {
    const randomId = this.#randomId;
    const asking = { name, type: 'A', payloadSize: PAYLOAD_BYTES, randomId } as const;
    const found = await this.#inOrder<readonly DnsRecord[]>((nameserver, done) =>
      askNameserver(nameserver, asking, (outcome) => {
        if (outcome.kind === 'error') return done(undefined);
        done(outcome.kind === 'records' ? outcome.answers.filter(isAddressOrAlias) : []);
      }),
    );
    return found ?? [];
  }

  close(): void {
    for (const end of [...this.#running]) end();
  }

  async #inOrder<T>(ask: Ask<T>): Promise<T | undefined> {
    if (this.#running.size >= MAX_IN_FLIGHT) return undefined;
    let closed = false;
    for (const nameserver of this.#nameservers) {
      const result = await new Promise<T | undefined>((resolve) => {
        let cancelAsking: Cancel = () => {};
        const finish = (found: T | undefined) => {
          this.#running.delete(end);
          cancelTimer();
          cancelAsking();
          resolve(found);
        };
        const end = () => {
          closed = true;
          finish(undefined);
        };
        const cancelTimer = this.#clock.after(this.#timeout, () => finish(undefined));
        this.#running.add(end);
        cancelAsking = ask(nameserver, finish);
      });
      if (result !== undefined || closed) return result;
    }
    return undefined;
  }
}

/** True for a reply to this very query; names compare without case (RFC 4343). */
function answers(reply: Buffer, query: Buffer, question: Question): boolean {
  const header = readHeader(reply);
  if (!header || header.id !== query.readUInt16BE(0) || (header.flags & FLAG_RESPONSE) === 0) return false;
  const repeated = header.counts[0] === 1 ? readQuestion(reply) : undefined;
  return repeated !== undefined && lowerCase(repeated.wire) === lowerCase(question.wire);
}

function lowerCase(wire: Buffer): string {
  return wire.toString('latin1').toLowerCase();
}

function isAddressOrAlias(record: { readonly type: string }): record is DnsRecord {
  return record.type === 'A' || record.type === 'AAAA' || record.type === 'CNAME';
}
