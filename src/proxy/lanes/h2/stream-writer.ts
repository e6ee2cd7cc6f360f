import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../../../core/clock.ts';
import { passOn } from '../../tcp/pass-on.ts';
import { headerTable } from '../compat/request-headers.ts';
import type { AnswerWriter } from '../direct/forwarded-request.ts';
import { dismiss } from './dismiss.ts';
import { octetsOf } from './request-head.ts';

const NONE: readonly string[] = [];
/** What HTTP/2 has statuses for, as Node sees it. */
const MAX_STATUS = 599;
const RESET_CONTENT = 205;
/** Interim answers that are passed on of one exchange: nothing tells whether the client takes them. */
const MAX_INTERIM = 32;

/**
 * Writes the answer of one stream. Whether the connection takes more after it is the connection's to say: one request
 * that was refused ends none of the others.
 */
export class StreamWriter implements AnswerWriter {
  /** Of the answer, as it was given to the stream. */
  octets = 0;
  /** The stream was broken off from here: that it is over then is no news. */
  isCut = false;
  /** The client has been told to stop sending, and may not have heard it when the stream is closed. */
  isStopped = false;
  readonly #stream: ServerHttp2Stream;
  readonly #clock: Clock;
  readonly #onDrain: () => void;
  #head: readonly string[] | undefined;
  #trailers = NONE;
  #interim = 0;
  #whole: (() => void) | undefined;

  /** @param onDrain hears that there is room again */
  constructor(stream: ServerHttp2Stream, clock: Clock, onDrain: () => void) {
    this.#stream = stream;
    this.#clock = clock;
    this.#onDrain = onDrain;
  }

  get open(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  get full(): boolean {
    return this.#stream.writableNeedDrain;
  }

  /** Only its end tells. */
  get flushed(): boolean {
    return false;
  }

  onFlushed(fn: () => void): void {
    this.#whole = fn;
  }

  /** Asks for the body. */
  continue(): void {
    if (this.open) this.#stream.additionalHeaders({ ':status': 100 });
  }

  /** Passes on an interim answer; no more than a few to a client that may not be taking them. */
  inform(status: number, headers: readonly string[]): void {
    if (!this.open || this.#stream.headersSent || this.#interim++ >= MAX_INTERIM) return;
    this.octets += octetsOf(headers);
    this.#stream.additionalHeaders({ ...headerTable(passable(headers)), ':status': status });
  }

  /** See `ForwardedRequest.begin`. */
  begin(status: number, headers: readonly string[]): void {
    if (status > MAX_STATUS) throw new RangeError(`HTTP/2 has no status ${status}`);
    this.octets += octetsOf(headers);
    // Node lets it have no body (RFC 9110, section 15.3.6), and so no length must be told of one.
    const told = status === RESET_CONTENT ? without(headers, 'content-length') : headers;
    this.#head = [':status', String(status), ...passable(told)];
  }

  write(bytes: Buffer, from: number, to: number, last: boolean, trailers = NONE): void {
    const stream = this.#stream;
    // Whoever waits for it hears of the end of the stream next.
    if (!this.open) return;
    this.octets += to - from;
    if (this.#head) this.#respond(this.#head, last && trailers.length === 0, to === from);
    // Node has ended those of answers that have no body, and those of answers to HEAD.
    if (!stream.writableEnded) {
      if (to > from && !passOn(stream, bytes.subarray(from, to))) stream.once('drain', this.#onDrain);
      if (last) {
        this.#trailers = trailers;
        stream.end();
      }
    }
    if (last) this.#ended();
  }

  cut(): void {
    this.isCut = true;
    if (this.open) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  /** The stream is closed. */
  closed(): void {
    if (isWhole(this.#stream)) this.#whole?.();
  }

  /**
   * @param last the whole answer follows at once
   * @param empty and has no body
   */
  #respond(head: readonly string[], last: boolean, empty: boolean): void {
    const stream = this.#stream;
    this.#head = undefined;
    // Or Node resets a stream of which nothing was read, before its answer has ended.
    if (stream.readableFlowing === null) stream.pause();
    if (last) {
      stream.respond(head, { endStream: empty });
      return;
    }
    // Node ends a stream in order before it resets it, unless the end is ours to give.
    stream.respond(head, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      if (!stream.closed) stream.sendTrailers(headerTable(this.#trailers));
    });
  }

  /** All of the answer has been given to the stream. A client that is not done yet is sent away when it has that. */
  #ended(): void {
    const stream = this.#stream;
    if (stream.readableEnded || stream.endAfterHeaders) return;
    const out = () => {
      this.#whole?.();
      if (stream.readableEnded || stream.destroyed) return;
      // As long as some of what came waits to be read, the stream is not over; by now whoever reads it drops it.
      stream.resume();
      dismiss(stream, this.#clock, () => {
        this.isStopped = true;
      });
    };
    if (stream.writableFinished) out();
    else stream.once('finish', out);
  }
}

/** Whether a stream that is closed ended in order on both sides. */
export function isWhole(stream: ServerHttp2Stream): boolean {
  return stream.rstCode === constants.NGHTTP2_NO_ERROR && stream.writableEnded && !stream.aborted;
}

/** Without the one field that Node refuses though HTTP/1.1 has it: it is for a change from there. */
function passable(headers: readonly string[]): readonly string[] {
  return without(headers, 'http2-settings');
}

function without(headers: readonly string[], lower: string): readonly string[] {
  const named = (name = '') => name.length === lower.length && name.toLowerCase() === lower;
  for (let i = 0; i < headers.length; i += 2) {
    if (named(headers[i])) return headers.filter((_text, j) => !named(headers[j - (j % 2)]));
  }
  return headers;
}
