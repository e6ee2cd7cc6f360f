import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { cut } from '../../tcp/cut.ts';
import { KeptBody } from './kept-body.ts';
import type { Reply } from './reply.ts';

/** The client's connection, for protocols to be switched on it. */
export interface UpgradableClient {
  readonly socket: Socket;
  /** What the client sent behind the head. */
  readonly first: Buffer | undefined;
}

/** The client of one request, which has the connection to itself. */
export class ClientSide {
  /** The request's body. */
  readonly incoming: IncomingMessage;
  /** What attempts have taken of it. */
  readonly kept = new KeptBody();
  readonly reply: Reply;
  readonly upgradable: UpgradableClient;
  readonly #socket: Socket;
  readonly #readBefore: number;
  readonly #writtenBefore: number;

  /** @param before the socket's counters when the request before this one was over */
  constructor(
    incoming: IncomingMessage,
    reply: Reply,
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

  /** What the answer goes into; says `drain` when there is room again. */
  get taker(): Socket {
    return this.#socket;
  }

  /** Nothing reaches the client any more. */
  get gone(): boolean {
    return this.#socket.destroyed;
  }

  /**
   * The body has not come whole, and nobody will read it. Node says that a request without a body is complete only
   * after its answer has begun.
   */
  get unread(): boolean {
    return !this.incoming.complete;
  }

  /** Of this request so far, heads included. */
  get bytesIn(): number {
    return this.#socket.bytesRead - this.#readBefore;
  }

  get bytesOut(): number {
    return this.#socket.bytesWritten - this.#writtenBefore;
  }

  /** Breaks off what is under way, so that the client cannot take it for whole. */
  cut(): void {
    cut(this.#socket);
  }
}
