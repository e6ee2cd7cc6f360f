import type { Socket } from 'node:net';
import { VaneError } from '../../core/errors.ts';
import { readProxyHead } from '../../proxy/tcp/expect-proxy.ts';
import { tooManyPacket } from '../protocol/error-packet.ts';
import { ClientSession } from './client-session.ts';
import type { Side, Site } from './site.ts';

/** All sessions of one VIP. */
export class Sessions {
  readonly #site: Site;
  readonly #open = new Set<ClientSession>();
  /** Clients whose head of the PROXY protocol has not come yet. */
  readonly #headless = new Set<Socket>();
  #onEmpty: (() => void) | undefined;
  /** At once, at most. */
  max: number;

  constructor(site: Site, max: number) {
    this.#site = site;
    this.max = max;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Sessions of one server. */
  count(side: Side, server: string): number {
    let count = 0;
    for (const session of this.#open) {
      if (session.side === side && session.server === server) count++;
    }
    return count;
  }

  /** @param withHead it has to begin with a head of the PROXY protocol */
  serve(client: Socket, side: Side, withHead: boolean): void {
    const { totals, clock } = this.#site;
    totals.connections[side]++;
    if (this.#open.size + this.#headless.size >= this.max) {
      client.on('error', () => client.destroy());
      client.end(tooManyPacket('vane: too many connections'), () => client.destroy());
      return;
    }
    client.setKeepAlive(true, KEEP_ALIVE_MS);
    if (!withHead) {
      this.#begin(client, side);
      return;
    }
    this.#headless.add(client);
    const over = () => this.#headless.delete(client);
    readProxyHead(client, clock, {
      taken: () => {
        over();
        this.#begin(client, side);
      },
      failed: over,
    });
  }

  #begin(client: Socket, side: Side): void {
    const session = new ClientSession(this.#site, client, side);
    this.#open.add(session);
    void session.run().finally(() => {
      this.#open.delete(session);
      if (this.#open.size === 0) this.#onEmpty?.();
    });
  }

  /** Ends the sessions of a server: all of them, or those of one side. */
  leave(server: string, side: Side | 'both', why: string, how: 'now' | 'when-idle'): void {
    const reason = new VaneError('SERVER_REMOVED', why);
    for (const session of [...this.#open]) {
      if (session.server === server && (side === 'both' || session.side === side)) session.leave(reason, how);
    }
  }

  /** Resolves when there is none left, or at the deadline (clock ms). */
  async idle(deadline: number): Promise<void> {
    const { clock } = this.#site;
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(Math.max(0, deadline - clock.now()), resolve);
    this.#onEmpty = resolve;
    await promise;
    this.#onEmpty = undefined;
    cancel();
  }

  /** Ends all. */
  stop(why: VaneError): void {
    for (const session of [...this.#open]) session.stop(why);
  }

  /** Asks all to end as soon as that does no harm. */
  drain(why: VaneError): void {
    for (const client of [...this.#headless]) client.destroy();
    for (const session of [...this.#open]) session.drain(why);
  }
}

/** Silence after which a client is asked whether it is still there. */
const KEEP_ALIVE_MS = 5_000;
