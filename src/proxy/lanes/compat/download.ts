import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import type { Reply } from './reply.ts';
import { endToEndTrailers } from './response-head.ts';

export interface DownloadEvents {
  /** A byte came from the server, or the client takes some again. */
  onMoved(): void;
  /** The server has said all. */
  onWhole(): void;
  /** The rest cannot be passed on. */
  onError(error: unknown): void;
}

/** The body of a server's answer on its way to the client. While the client takes nothing, nothing is read. */
export class Download {
  readonly #message: IncomingMessage;
  readonly #reply: Reply;
  readonly #taker: Writable;
  readonly #events: DownloadEvents;
  #full = false;

  /**
   * @param reply has sent the answer's head
   * @param taker what it goes into
   */
  constructor(message: IncomingMessage, reply: Reply, taker: Writable, events: DownloadEvents) {
    this.#message = message;
    this.#reply = reply;
    this.#taker = taker;
    this.#events = events;
  }

  /** The client has more to take than it takes. */
  get full(): boolean {
    return this.#full;
  }

  begin(): void {
    this.#message.on('data', this.#onData);
    this.#message.on('end', this.#onEnd);
    this.#taker.on('drain', this.#onDrain);
    this.#reply.flush();
  }

  /** The answer ends here, whatever the server still says. */
  finish(): void {
    this.end();
    this.#full = true;
    try {
      this.#reply.end(endToEndTrailers(this.#message.rawTrailers));
    } catch (error) {
      this.#events.onError(error);
    }
  }

  /** Passes nothing on any more. */
  end(): void {
    this.#message.off('data', this.#onData);
    this.#message.off('end', this.#onEnd);
    this.#taker.off('drain', this.#onDrain);
  }

  readonly #onData = (chunk: Buffer) => {
    if (!this.#reply.write(chunk)) {
      this.#full = true;
      this.#message.pause();
    }
    this.#events.onMoved();
  };

  readonly #onDrain = () => {
    this.#full = false;
    this.#message.resume();
    this.#events.onMoved();
  };

  readonly #onEnd = () => {
    this.#events.onWhole();
    this.finish();
    this.#events.onMoved();
  };
}
