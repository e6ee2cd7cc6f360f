import { connect, type Socket } from 'node:net';
import type { Cancel, Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { type ExchangeListener, exchangeTcp, isRefusal, type Nameserver } from './exchange.ts';
import { frame, MessageReader } from './framing.ts';

/** How long a connection is kept that nothing is asked on, ms (RFC 7766 section 6.2.3). */
const IDLE_MS = 10_000;
/** Queries on one connection at once; what is asked beyond has one of its own. */
const MAX_PENDING = 128;

/**
 * Asks nameservers over TCP, each on one connection for as long as there are queries for it (RFC 7766 section 6.2.1),
 * without waiting for the answer to one before the next is sent. They may be answered in any order.
 */
export class KeptConnections {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Connection>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** As {@link exchangeTcp}, over a connection that is there already where there is one. */
  readonly exchange = (nameserver: Nameserver, query: Buffer, listener: ExchangeListener): Cancel => {
    const key = `${nameserver.host} ${nameserver.port}`;
    let kept = this.#kept.get(key);
    if (!kept) {
      const fresh: Connection = new Connection(nameserver, this.#clock, () => {
        if (this.#kept.get(key) === fresh) this.#kept.delete(key);
      });
      kept = fresh;
      this.#kept.set(key, fresh);
    }
    return kept.takes(query) ? kept.ask(query, listener) : exchangeTcp(nameserver, query, listener);
  };

  /** Ends all connections. Whoever waits for an answer hears nothing more. */
  close(): void {
    for (const connection of [...this.#kept.values()]) connection.close();
  }
}

interface Pending {
  readonly query: Buffer;
  readonly listener: ExchangeListener;
  answered: boolean;
  /** Ends it where it was sent once more. */
  cancel: Cancel | undefined;
}

class Connection {
  readonly #nameserver: Nameserver;
  readonly #clock: Clock;
  readonly #onLeft: () => void;
  readonly #socket: Socket;
  /** By transaction id. */
  readonly #pending = new Map<number, Pending>();
  #cancelIdle: Cancel = () => {};
  #worked = false;
  #left = false;

  /** @param onLeft nothing is to be asked on it any more */
  constructor(nameserver: Nameserver, clock: Clock, onLeft: () => void) {
    this.#nameserver = nameserver;
    this.#clock = clock;
    this.#onLeft = onLeft;
    const { host, port } = nameserver;
    this.#socket = connect({ host, port, noDelay: true });
    const reader = new MessageReader((message) => this.#hear(message));
    this.#socket.on('data', (chunk) => reader.push(chunk));
    this.#socket.on('error', (error) => this.#fail(messageOf(error), isRefusal(error)));
    this.#socket.on('close', () => this.#fail('connection closed without a reply', false));
  }

  takes(query: Buffer): boolean {
    return this.#pending.size < MAX_PENDING && !this.#pending.has(query.readUInt16BE(0));
  }

  ask(query: Buffer, listener: ExchangeListener): Cancel {
    const id = query.readUInt16BE(0);
    const pending: Pending = { query, listener, answered: false, cancel: undefined };
    this.#pending.set(id, pending);
    this.#cancelIdle();
    this.#socket.write(frame(query));
    return () => {
      pending.cancel?.();
      if (this.#pending.get(id) === pending) this.#over(id, pending);
    };
  }

  close(): void {
    this.#pending.clear();
    this.#leave();
    this.#socket.destroy();
  }

  #over(id: number, { answered }: Pending): void {
    this.#pending.delete(id);
    // Who stays silent may be gone: what is asked next tries another connection.
    if (!answered) this.#leave();
    if (this.#pending.size > 0) return;
    if (this.#left) this.#socket.destroy();
    else this.#cancelIdle = this.#clock.after(IDLE_MS, () => this.close());
  }

  #hear(message: Buffer): void {
    const pending = message.length < 2 ? undefined : this.#pending.get(message.readUInt16BE(0));
    if (!pending) return;
    this.#worked = true;
    pending.answered = true;
    pending.listener.onMessage(message);
  }

  #fail(why: string, refused: boolean): void {
    this.#leave();
    this.#socket.destroy();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const one of pending) {
      // A nameserver may close what it has answered on whenever it likes (RFC 7766 section 6.2.4).
      if (this.#worked && !one.answered) {
        one.cancel = exchangeTcp(this.#nameserver, one.query, one.listener);
      } else one.listener.onError(why, refused);
    }
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#cancelIdle();
    this.#onLeft();
  }
}
