import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Cancel, Clock } from '../../../core/clock.ts';
import { messageOf, VaneError } from '../../../core/errors.ts';
import { Crowd, type Member } from '../../plane/crowd.ts';
import { errorAnswer } from '../../request/answers.ts';
import { clientAddress } from '../../tcp/client-address.ts';
import { cut } from '../../tcp/cut.ts';
import { lengthHeaders } from '../compat/local-answer.ts';
import type { NoRequest } from '../direct/incoming-request.ts';
import type { LaneHost } from '../host.ts';
import type { ClientAddress } from '../lane.ts';
import { StreamExchange, type StreamSite } from './exchange.ts';
import { FrameAllowance } from './frame-allowance.ts';
import { type H2Fields, octetsOf, readH2Request } from './request-head.ts';
import { ResetAllowance } from './reset-allowance.ts';
import { StreamWriter } from './stream-writer.ts';

/** Octets of the body of one stream that may be on their way (HAProxy: tune.h2.fe.initial-window-size). */
export const STREAM_WINDOW = 65_535;
/** Bytes of request bodies that may be on their way over one connection: those of several streams at full pace. */
const CONNECTION_WINDOW = 1_048_576;
/** How long a connection that is over may take to close where clients may be silent for ever, ms. */
const CLOSE_WITHIN_MS = 30_000;
/** How often it is looked what a client sends, ms. */
const LOOK_MS = 500;

export interface ConnectionSite {
  readonly host: LaneHost;
  readonly clock: Clock;
  readonly options: () => ServerOptions;
}

/**
 * One client's connection: its streams become exchanges, as many at once as the settings allow. It is told to go when
 * it has none for too long, or when nothing is to outlive what is under way (RFC 9113, section 6.8).
 */
export class H2Connection implements Member, StreamSite {
  place = -1;
  readonly client: ClientAddress;
  readonly clock: Clock;
  readonly #socket: Socket;
  readonly #host: LaneHost;
  readonly #session: ServerHttp2Session;
  readonly #startedAt: number;
  readonly #secure: boolean;
  /** Those whose streams are open. */
  readonly #exchanges = new Crowd<StreamExchange>();
  readonly #resets: ResetAllowance;
  readonly #frames: FrameAllowance;
  /** Octets of requests that are over. */
  #requested = 0;
  /** Streams that are open, refused ones among them. */
  #streams = 0;
  #used = false;
  /** No further stream is taken. */
  #closing = false;
  #cancelTimer: Cancel | undefined;
  #cancelWatch: Cancel | undefined;

  constructor(socket: Socket, { host, clock, options }: ConnectionSite, onClosed: () => void) {
    this.#socket = socket;
    this.#host = host;
    this.clock = clock;
    this.client = clientAddress(socket);
    this.#secure = socket instanceof TLSSocket;
    this.#startedAt = clock.now();
    this.#resets = new ResetAllowance(this.#startedAt);
    this.#frames = new FrameAllowance(this.#startedAt);
    socket.setNoDelay(true);
    // Who says no more in HTTP/2 takes nothing either.
    socket.allowHalfOpen = false;
    socket.once('end', () => socket.destroy());
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#cancelTimer?.();
      this.#cancelWatch?.();
      onClosed();
    });
    this.#session = performServerHandshake(socket, options());
    this.#session.on('error', (error) => this.#broke(error));
    this.#session.on('stream', (stream, _headers, _flags, fields) => this.#arrived(stream, fields));
    this.#session.setLocalWindowSize(CONNECTION_WINDOW);
    this.#arm(host.timeouts.httpRequest);
  }

  get clientTimeout(): number {
    return this.#host.timeouts.client;
  }

  /** If no stream is open, it waits for the next as long as the host says now. */
  hurryIdle(): void {
    if (this.#streams === 0 && this.#used && !this.#closing) this.#wait();
  }

  destroy(reason: VaneError): void {
    this.#closing = true;
    this.#cancelTimer?.();
    for (const exchange of this.#exchanges.all) exchange.abort(reason);
    // What has not been answered whole does not look so: it lacks its end.
    cut(this.#socket);
  }

  #arrived(stream: ServerHttp2Stream, fields: H2Fields): void {
    // Breaks that concern it are told by its end.
    stream.on('error', () => {});
    this.#used = true;
    if (stream.closed) {
      this.wasReset();
      return;
    }
    this.#streams++;
    this.#cancelTimer?.();
    this.#watch();
    const request = readH2Request(fields, stream.endAfterHeaders, this.#secure);
    if ('refused' in request) this.#refuse(stream, octetsOf(fields), request);
    else {
      const exchange = new StreamExchange(stream, request, this);
      this.#exchanges.add(exchange);
      stream.once('close', () => {
        exchange.closed();
        this.#exchanges.delete(exchange);
        // What its client had on its way when it was sent away comes all the same.
        this.#requested += exchange.received + (exchange.shed ? STREAM_WINDOW : 0);
        this.#left();
      });
      this.#host.handle(exchange);
    }
  }

  /** Answers what is no request; the others go on. */
  #refuse(stream: ServerHttp2Stream, bytesIn: number, { status, refused }: NoRequest): void {
    const answer = errorAnswer(status);
    const body = Buffer.from(answer.body);
    const out = new StreamWriter(stream, this.clock, () => {});
    let dropped = bytesIn;
    stream.on('data', (bytes: Buffer) => {
      dropped += bytes.length;
    });
    stream.once('close', () => {
      this.#requested += dropped + (out.isStopped ? STREAM_WINDOW : 0);
      this.#left();
    });
    this.answering();
    out.begin(status, [...answer.headers, ...lengthHeaders(answer)]);
    out.write(body, 0, body.length, true);
    const { timeouts } = this.#host;
    if (timeouts.client > 0) {
      const cancel = this.clock.after(timeouts.client, () => stream.close(constants.NGHTTP2_CANCEL));
      stream.once('close', cancel);
    }
    this.#host.refused({
      client: this.client,
      startedAt: this.clock.now(),
      error: new VaneError('REQUEST_INVALID', refused),
      status,
      bytesIn,
      bytesOut: out.octets,
    });
  }

  wasReset(): void {
    if (this.#socket.destroyed || this.#session.destroyed) return;
    if (this.#resets.take(this.clock.now())) return;
    this.#calm('client broke off too many streams');
  }

  answering(): void {
    if (this.#host.draining) this.#goAway();
  }

  /** Looks what came besides requests, as long as there are any. */
  #watch(): void {
    this.#cancelWatch ??= this.clock.after(LOOK_MS, () => {
      this.#cancelWatch = undefined;
      if (this.#session.destroyed) return;
      const { bytesRead: received, bytesWritten: sent } = this.#socket;
      let requests = this.#requested;
      for (const exchange of this.#exchanges.all) requests += exchange.received;
      if (!this.#frames.take({ received, sent, requests }, this.clock.now())) {
        this.#calm('client sent too much besides requests');
      } else if (this.#streams > 0) this.#watch();
    });
  }

  #calm(why: string): void {
    this.#closing = true;
    const error = new VaneError('REQUEST_INVALID', why);
    this.#session.destroy(error, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#tell(error);
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
    this.#cancelTimer = wait > 0 ? this.clock.after(wait, () => this.#late()) : undefined;
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
      client: this.client,
      startedAt: this.#startedAt,
      error,
      status: undefined,
      bytesIn: 0,
      bytesOut: 0,
    });
  }
}
