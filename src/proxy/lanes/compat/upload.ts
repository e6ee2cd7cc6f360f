import type { ClientRequest, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Reply } from './reply.ts';

/** A request's body on its way from the client to a server. It is not read before {@link begin}. */
export class Upload {
  /** What goes to the server; whoever pipes it decides when. */
  readonly body: Readable;
  readonly #incoming: IncomingMessage;
  readonly #reply: Reply;
  readonly #bodyless: boolean;
  readonly #onMoved: () => void;
  #request: ClientRequest | undefined;
  #taken = false;

  /** @param onMoved the client sent something, or the server takes something again */
  constructor(incoming: IncomingMessage, reply: Reply, bodyless: boolean, onMoved: () => void) {
    this.#incoming = incoming;
    this.#reply = reply;
    this.#bodyless = bodyless;
    this.#onMoved = onMoved;
    this.body = bodyless ? nothing() : incoming;
  }

  /** Bytes of it were taken from the client: it cannot be sent again. */
  get taken(): boolean {
    return this.#taken;
  }

  /** The client has to send more of it, and the server takes it. */
  get wantsClient(): boolean {
    return !this.#bodyless && !this.#incoming.readableEnded && !this.#request?.writableNeedDrain;
  }

  /** @param request into which {@link body} has been piped in this turn */
  begin(request: ClientRequest): void {
    this.#request = request;
    request.on('drain', this.#onMoved);
    if (this.#bodyless) return;
    // The head at once: the server may want to refuse the body before the client has sent any of it.
    // In Latin-1, in which Node reads heads; flushHeaders() would recode them.
    request.write('', 'latin1');
    this.#reply.continue();
    this.#incoming.on('data', this.#onData);
    this.#incoming.on('end', this.#onMoved);
  }

  /** Leaves what was not read to whoever comes next. */
  end(): void {
    this.#incoming.off('data', this.#onData);
    this.#incoming.off('end', this.#onMoved);
    if (this.#request) this.#incoming.unpipe(this.#request);
  }

  readonly #onData = () => {
    this.#taken = true;
    this.#onMoved();
  };
}

function nothing(): Readable {
  return new Readable({
    read() {
      this.push(null);
    },
  });
}
