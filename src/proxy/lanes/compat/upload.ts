import type { ClientRequest } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import type { RequestHead } from '../lane.ts';
import type { ClientSide } from './client-side.ts';
import type { KeptBody } from './kept-body.ts';
import type { Reply } from './reply.ts';

/**
 * A request's body on its way from the client to a server: what earlier attempts had of it, and then what comes. It is
 * not read before {@link begin}.
 */
export class Upload {
  /** What goes to the server; whoever pipes it decides when. */
  readonly body: Readable;
  readonly #incoming: Readable;
  readonly #reply: Reply;
  readonly #kept: KeptBody;
  readonly #keep: number;
  readonly #bodyless: boolean;
  readonly #onMoved: () => void;
  #request: ClientRequest | undefined;
  #resumed: PassThrough | undefined;

  /**
   * @param keep how many bytes are kept of it
   * @param onMoved the client sent something, or the server takes something again
   */
  constructor(head: RequestHead, { incoming, reply, kept }: ClientSide, keep: number, onMoved: () => void) {
    this.#incoming = incoming;
    this.#reply = reply;
    this.#kept = kept;
    this.#keep = keep;
    this.#bodyless = head.bodyless;
    this.#onMoved = onMoved;
    this.body = this.#bodyless ? nothing() : kept.pieces.length === 0 ? incoming : this.#again();
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
    if (this.#resumed) this.#incoming.pipe(this.#resumed);
  }

  /** Leaves what was not read to whoever comes next. */
  end(): void {
    this.#incoming.off('data', this.#onData);
    this.#incoming.off('end', this.#onMoved);
    if (this.#request) this.#incoming.unpipe(this.#request);
    if (this.#resumed) this.#incoming.unpipe(this.#resumed);
  }

  /** What was kept; what is still to come follows it. */
  #again(): Readable {
    const { pieces } = this.#kept;
    if (this.#incoming.readableEnded) return Readable.from(pieces, { objectMode: false });
    this.#resumed = new PassThrough();
    for (const piece of pieces) this.#resumed.write(piece);
    return this.#resumed;
  }

  readonly #onData = (piece: Buffer) => {
    this.#kept.add(piece, this.#keep);
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
