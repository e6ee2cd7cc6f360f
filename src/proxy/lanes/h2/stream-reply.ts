import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../../../core/clock.ts';
import type { ClientReply, ReplyHead } from '../compat/reply.ts';
import { headerTable } from '../compat/request-headers.ts';
import { dismiss } from './dismiss.ts';
import { octetsOf } from './request-head.ts';

/**
 * The answer on one stream. Whether the connection takes more after it is the connection's to say: one request that
 * was refused ends none of the others.
 */
export class StreamReply implements ClientReply {
  readonly #stream: ServerHttp2Stream;
  readonly #clock: Clock;
  readonly #onBegin: () => void;
  /** The client waits for a 100 before it sends its body. */
  #expects: boolean;
  #trailers: readonly [name: string, value: string][] = [];
  #octets = 0;

  /** @param onBegin hears that the head of an answer goes out */
  constructor(stream: ServerHttp2Stream, expects: boolean, clock: Clock, onBegin: () => void) {
    this.#stream = stream;
    this.#clock = clock;
    this.#expects = expects;
    this.#onBegin = onBegin;
  }

  /** Of the answer, as it was given to the stream. */
  get octets(): number {
    return this.#octets;
  }

  continue(): void {
    if (!this.#expects) return;
    this.#expects = false;
    if (this.#open) this.#stream.additionalHeaders({ ':status': 100 });
  }

  inform(status: number, headers: readonly string[]): void {
    if (!this.#open || this.#stream.headersSent || this.#stream.writableNeedDrain) return;
    this.#octets += octetsOf(headers);
    this.#stream.additionalHeaders(fieldTable(status, headers));
  }

  begin({ status, headers }: ReplyHead, _close: boolean, onFinish: () => void): void {
    const stream = this.#stream;
    // Whoever waits for it hears of the end of the stream next.
    if (!this.#open) return;
    // Or Node resets a stream of which nothing was read, before its answer has ended.
    if (stream.readableFlowing === null) stream.pause();
    // Node ends a stream in order before it resets it, unless the end is ours to give.
    stream.respond(fieldTable(status, headers), { waitForTrailers: true });
    this.#octets += octetsOf(headers);
    stream.on('wantTrailers', () => {
      if (!stream.closed) stream.sendTrailers(headerTable(this.#trailers.flat()));
    });
    stream.once('finish', () => {
      onFinish();
      if (!stream.readableEnded && !stream.destroyed) dismiss(stream, this.#clock);
    });
    // Of an answer without a body it may be all that is told.
    stream.once('close', () => {
      if (isWhole(stream)) onFinish();
    });
    this.#onBegin();
  }

  /** The head has gone out already. */
  flush(): void {}

  write(chunk: Buffer): boolean {
    if (!this.#open || this.#stream.writableEnded) return true;
    this.#octets += chunk.length;
    return this.#stream.write(chunk);
  }

  end(trailers: readonly [name: string, value: string][] = []): void {
    this.#trailers = trailers;
    if (this.#open && !this.#stream.writableEnded) this.#stream.end();
  }

  get #open(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }
}

/** Whether a stream that is closed ended in order on both sides. */
export function isWhole(stream: ServerHttp2Stream): boolean {
  return stream.rstCode === constants.NGHTTP2_NO_ERROR && stream.writableEnded && !stream.aborted;
}

function fieldTable(status: number, headers: readonly string[]): OutgoingHttpHeaders {
  // Names are in lower case in HTTP/2, and Node looks for them so: it would add another Date.
  const lower = headers.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
  const table: Record<string, string | string[] | number> = headerTable(lower);
  // Node refuses it: it is for a change from HTTP/1.1.
  delete table['http2-settings'];
  table[':status'] = status;
  return table;
}
