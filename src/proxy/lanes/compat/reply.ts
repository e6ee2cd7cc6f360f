import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { http } from '../../../core/http.ts';

export interface ReplyHead {
  readonly status: number;
  /** The reason phrase; undefined: the usual one. */
  readonly message: string | undefined;
  /** End-to-end fields and Content-Length. Flat: name, then value. */
  readonly headers: readonly string[];
  /** Its end is known without closing the connection: it has a length, or no body. */
  readonly framed: boolean;
}

export interface ReplyOptions {
  readonly incoming: IncomingMessage;
  readonly socket: Socket;
  /** Undefined for an upgrade, to which Node has given none. */
  readonly response: ServerResponse | undefined;
  /** The client expects a 100 before it sends the body. */
  readonly expects: boolean;
  /** No other request can follow on the connection. */
  readonly isLast: () => boolean;
}

/**
 * The client's side of one exchange: writes the answer by Node's ServerResponse, which frames it for the client's
 * version of HTTP, and decides whether the connection goes on after it.
 */
export class Reply {
  readonly #incoming: IncomingMessage;
  readonly #socket: Socket;
  readonly #isLast: () => boolean;
  #response: ServerResponse | undefined;
  /** The client waits for a 100 before it sends its body. */
  #expects: boolean;

  constructor(options: ReplyOptions) {
    this.#incoming = options.incoming;
    this.#socket = options.socket;
    this.#isLast = options.isLast;
    this.#response = options.response;
    this.#expects = options.expects;
  }

  /** Asks the client that waits for it for the body. */
  continue(): void {
    if (!this.#expects) return;
    this.#expects = false;
    this.#response?.writeContinue();
  }

  /** An interim answer; dropped for clients that do not know them, or are slow to take what they have. */
  inform(status: number, headers: readonly string[]): void {
    const known = this.#incoming.httpVersion === '1.1';
    if (known && !this.#socket.writableNeedDrain) this.#response?.writeInformation(status, headers);
  }

  /**
   * Sends the head.
   * @param close the connection shall not outlive this answer
   * @throws what Node finds wrong with the fields; nothing was sent then
   */
  begin(head: ReplyHead, close: boolean, onFinish: () => void): void {
    const response = this.#open();
    const chunks = this.#incoming.httpVersion === '1.1';
    // A client that still waits for a 100 may send its body or another request: nobody could tell.
    const over = close || this.#expects || this.#isLast();
    const keep = !over && response.shouldKeepAlive && (head.framed || chunks);
    const headers = [...head.headers];
    // Persistence is said only where it is not understood (RFC 9112, section 9.3).
    if (keep && chunks) response.removeHeader('connection');
    else headers.push('Connection', keep ? 'keep-alive' : 'close');
    response.useChunkedEncodingByDefault = chunks;
    if (head.message === undefined) response.writeHead(head.status, headers);
    else response.writeHead(head.status, head.message, headers);
    response.once('finish', onFinish);
  }

  /** Sends what there is of the head at once: the body may be long in coming (event streams). */
  flush(): void {
    // In Latin-1, in which Node reads heads; flushHeaders() would recode them.
    this.#response?.write('', 'latin1');
  }

  /** False: the client takes no more for now; its side will say `drain`. */
  write(chunk: Buffer): boolean {
    return this.#response?.write(chunk) ?? true;
  }

  /** @param trailers sent to clients whose version of HTTP has a place for them */
  end(trailers: readonly [name: string, value: string][] = []): void {
    if (trailers.length > 0) this.#response?.addTrailers(trailers);
    this.#response?.end();
  }

  #open(): ServerResponse {
    if (this.#response) return this.#response;
    // An answer after all to a request for an upgrade: what follows on the connection is not HTTP any more.
    const response = new http.ServerResponse(this.#incoming);
    response.shouldKeepAlive = false;
    response.assignSocket(this.#socket);
    response.once('finish', () => this.#socket.destroySoon());
    this.#response = response;
    return response;
  }
}
