import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { cut } from '../../tcp/cut.ts';
import { KeptBody } from './kept-body.ts';
import type { ClientReply } from './reply.ts';
import type { ClientSide, UpgradableClient } from './site.ts';

/** The client of a request that has the connection to itself. */
export class Http1Side implements ClientSide {
  readonly incoming: IncomingMessage;
  readonly kept = new KeptBody();
  readonly reply: ClientReply;
  readonly upgradable: UpgradableClient;
  readonly #socket: Socket;
  readonly #readBefore: number;
  readonly #writtenBefore: number;

  /** @param before the socket's counters when the request before this one was over */
  constructor(
    incoming: IncomingMessage,
    reply: ClientReply,
    upgradable: UpgradableClient,
    before: { readonly read: number; readonly written: number },
  ) {
    this.incoming = incoming;
    this.reply = reply;
    this.upgradable = upgradable;
    this.#socket = upgradable.socket;
    this.#readBefore = before.read;
    this.#writtenBefore = before.written;
  }

  get taker(): Socket {
    return this.#socket;
  }

  get gone(): boolean {
    return this.#socket.destroyed;
  }

  /** Node says that a request without a body is complete only after its answer has begun. */
  get unread(): boolean {
    return !this.incoming.complete;
  }

  get bytesIn(): number {
    return this.#socket.bytesRead - this.#readBefore;
  }

  get bytesOut(): number {
    return this.#socket.bytesWritten - this.#writtenBefore;
  }

  cut(): void {
    cut(this.#socket);
  }
}
