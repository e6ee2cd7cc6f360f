import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../../core/clock.ts';
import { messageOf, VaneError } from '../../../core/errors.ts';
import type { Member } from '../../plane/crowd.ts';
import { errorAnswer } from '../../request/answers.ts';
import { MAX_HEAD_BYTES } from '../../request/strict.ts';
import { clientAddress } from '../../tcp/client-address.ts';
import { cut } from '../../tcp/cut.ts';
import { CompatExchange } from '../compat/exchange.ts';
import { lengthHeaders } from '../compat/local-answer.ts';
import { type BodyFraming, type ReadRequest, valuesOf } from '../compat/request-head.ts';
import type { LaneHost } from '../host.ts';
import type { ClientAddress } from '../lane.ts';
import { type H2Fields, octetsOf, readH2Request } from './request-head.ts';
import { ResetAllowance } from './reset-allowance.ts';
import { isWhole, StreamReply } from './stream-reply.ts';
import { StreamSide } from './stream-side.ts';

/** Bytes of request bodies that may be on their way over one connection: those of several streams at full pace. */
const CONNECTION_WINDOW = 1_048_576;
/** How long a connection that is over may take to close where clients may be silent for ever, ms. */
const CLOSE_WITHIN_MS = 30_000;

export interface ConnectionSite {
  readonly host: LaneHost;
  readonly clock: Clock;
  readonly options: () => ServerOptions;
}

/**
 * One client's connection: its streams become exchanges, as many at once as the settings allow. It is told to go when
 * it has none for too long, or when nothing is to outlive what is under way (RFC 9113, section 6.8).
 */
export class H2Connection implements Member {
  place = -1;
  readonly #socket: Socket;
  readonly #host: LaneHost;
  readonly #clock: Clock;
  readonly #client: ClientAddress;
  readonly #session: ServerHttp2Session;
  readonly #startedAt: number;
  /** Those that are not over yet, each with its stream. */
  readonly #exchanges = new Map<ServerHttp2Stream, CompatExchange>();
  readonly #resets: ResetAllowance;
  /** Streams that are open, refused ones among them. */
  #streams = 0;
  #used = false;
  /** No further stream is taken. */
  #closing = false;
  #cancelTimer: Cancel | undefined;

  constructor(socket: Socket, { host, clock, options }: ConnectionSite, onClosed: () => void) {
    this.#socket = socket;
    this.#host = host;
    this.#clock = clock;
    this.#client = clientAddress(socket);
    this.#startedAt = clock.now();
    this.#resets = new ResetAllowance(this.#startedAt);
    socket.setNoDelay(true);
    // Who says no more in HTTP/2 takes nothing either.
    socket.allowHalfOpen = false;
    socket.once('end', () => socket.destroy());
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#cancelTimer?.();
      onClosed();
    });
    this.#session = performServerHandshake(socket, options());
    this.#session.on('error', (error) => this.#broke(error));
    this.#session.on('stream', (stream, _headers, _flags, fields) => this.#arrived(stream, fields));
    this.#session.setLocalWindowSize(CONNECTION_WINDOW);
    this.#arm(host.timeouts.httpRequest);
  }

  /** If no stream is open, it waits for the next as long as the host says now. */
  hurryIdle(): void {
    if (this.#streams === 0 && this.#used && !this.#closing) this.#wait();
  }

  destroy(reason: VaneError): void {
    this.#closing = true;
    this.#cancelTimer?.();
    for (const exchange of [...this.#exchanges.values()]) exchange.abort(reason);
    // What has not been answered whole does not look so: it lacks its end.
    cut(this.#socket);
  }

  #arrived(stream: ServerHttp2Stream, fields: H2Fields): void {
    // Breaks that concern it are told by its end.
    stream.on('error', () => {});
    if (stream.destroyed) return;
    this.#used = true;
    this.#streams++;
    this.#cancelTimer?.();
    stream.once('close', () => this.#left());
    const read = readH2Request(fields, stream.endAfterHeaders);
    // What is announced as the limit holds only once the client has acknowledged it.
    if (octetsOf(fields) > MAX_HEAD_BYTES) this.#refuse(stream, fields, 431, 'head is too large');
    else if ('refused' in read) this.#refuse(stream, fields, 400, read.refused);
    else if (valuesOf(fields, 'expect').some((value) => value.toLowerCase() !== '100-continue')) {
      this.#refuse(stream, fields, 417, 'Expect is not 100-continue');
    } else this.#take(stream, octetsOf(fields), read);
  }

  #take(stream: ServerHttp2Stream, octets: number, read: ReadRequest): void {
    const now = this.#clock.now();
    const expects = !read.head.bodyless && valuesOf(read.head.headers, 'expect').length > 0;
    const reply = new StreamReply(stream, expects, this.#clock, () => this.#answering());
    const side = new StreamSide(stream, reply, octets);
    const exchange: CompatExchange = new CompatExchange({
      ...read,
      client: this.#client,
      startedAt: now,
      headAt: now,
      side,
      clock: this.#clock,
      clientTimeout: () => this.#host.timeouts.client,
      onOver: () => this.#exchanges.delete(stream),
    });
    this.#exchanges.set(stream, exchange);
    const left = () => {
      if (!side.isCut) exchange.abort(leaving(stream, read.body, side.kept.taken));
    };
    stream.once('aborted', () => {
      left();
      if (!side.isCut) this.#reset();
    });
    stream.once('close', () => {
      if (isWhole(stream)) return;
      left();
      // Whatever is still to be answered has nobody to go to.
      exchange.destroy(leaving(stream, read.body, side.kept.taken));
    });
    // Nothing comes, but its end is to be noticed.
    if (read.head.bodyless) stream.resume();
    this.#host.handle(exchange);
  }

  /** Answers what is no request; the others go on. */
  #refuse(stream: ServerHttp2Stream, fields: H2Fields, status: number, why: string): void {
    const answer = errorAnswer(status);
    const reply = new StreamReply(stream, false, this.#clock, () => this.#answering());
    const headers = [...answer.headers, ...lengthHeaders(answer)];
    reply.begin({ status, message: undefined, headers, framed: true }, false, () => {});
    reply.write(Buffer.from(answer.body));
    reply.end();
    const { timeouts } = this.#host;
    if (timeouts.client > 0) {
      const cancel = this.#clock.after(timeouts.client, () => stream.close(constants.NGHTTP2_CANCEL));
      stream.once('close', cancel);
    }
    this.#host.refused({
      client: this.#client,
      startedAt: this.#clock.now(),
      error: new VaneError('REQUEST_INVALID', why),
      status,
      bytesIn: octetsOf(fields),
      bytesOut: reply.octets,
    });
  }

  #reset(): void {
    if (this.#resets.take(this.#clock.now()) || this.#session.destroyed) return;
    this.#closing = true;
    const error = new VaneError('REQUEST_INVALID', 'client broke off too many streams');
    this.#session.destroy(error, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#tell(error);
  }

  /** The head of an answer goes out. */
  #answering(): void {
    if (this.#host.draining) this.#goAway();
  }

  #left(): void {
    this.#streams--;
    if (this.#streams > 0 || this.#socket.destroyed) return;
    // An end without a word from the client's system is not waited for.
    if (this.#closing) this.#arm(this.#host.timeouts.client || CLOSE_WITHIN_MS);
    else this.#wait();
  }

  #wait(): void {
    const { httpKeepAlive, client } = this.#host.timeouts;
    this.#arm(httpKeepAlive || client);
  }

  #arm(wait: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = wait > 0 ? this.#clock.after(wait, () => this.#late()) : undefined;
  }

  #late(): void {
    if (this.#closing || !this.#used) {
      this.#socket.destroy();
      return;
    }
    this.#goAway();
    this.#arm(this.#host.timeouts.client || CLOSE_WITHIN_MS);
  }

  /** Streams that are open are finished; then the connection is closed. */
  #goAway(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#session.close();
  }

  /** What came is no HTTP/2, or too much of it. Node has said so to the client, and ends the connection. */
  #broke(error: Error & { readonly code?: string }): void {
    // What is under way is told of as it ends; a client that goes between two requests has done nothing wrong.
    if (this.#streams > 0 || this.#closing || !error.code?.startsWith('ERR_HTTP2_')) return;
    this.#closing = true;
    this.#tell(new VaneError('REQUEST_INVALID', `no HTTP/2: ${messageOf(error)}`));
  }

  /** What is counted and logged of a connection that was ended, not of one of its streams. */
  #tell(error: VaneError): void {
    this.#host.refused({
      client: this.#client,
      startedAt: this.#startedAt,
      error,
      status: undefined,
      bytesIn: 0,
      bytesOut: 0,
    });
  }
}

/** Why a stream is over before its answer was. */
function leaving(stream: ServerHttp2Stream, body: BodyFraming, taken: number): VaneError {
  if (stream.rstCode === constants.NGHTTP2_PROTOCOL_ERROR && typeof body === 'number' && taken !== body) {
    return new VaneError('REQUEST_INVALID', 'body is not as long as Content-Length says');
  }
  return new VaneError('CLIENT_ABORTED', `client broke off the stream (code ${stream.rstCode ?? 0})`);
}
