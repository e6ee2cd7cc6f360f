import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../../core/clock.ts';
import { VaneError } from '../../../core/errors.ts';
import type { Member } from '../../plane/crowd.ts';
import { errorAnswer } from '../../request/answers.ts';
import { clientAddress } from '../../tcp/client-address.ts';
import { closeGently } from '../../tcp/linger.ts';
import { SocketReader } from '../../tcp/socket-reader.ts';
import { renderClosing } from '../compat/local-answer.ts';
import type { LaneHost } from '../host.ts';
import type { ClientAddress } from '../lane.ts';
import type { ClientSide } from './client-side.ts';
import type { DateText } from './date-text.ts';
import { DirectExchange } from './exchange.ts';
import { HeadParser } from './head-parser.ts';
import { type IncomingRequest, readIncoming } from './incoming-request.ts';
import { LazyTimer } from './lazy-timer.ts';
import { MessageWriter } from './message-writer.ts';
import { RequestBody } from './request-body.ts';

/** What the connections of one lane share. */
export interface LaneSite {
  readonly host: LaneHost;
  readonly clock: Clock;
  readonly dates: DateText;
}

/**
 * One client's connection: hands its requests to the host one after another, times the client between and inside
 * heads, and turns away what is no request. What comes behind a request stays unread until that is over.
 */
export class ClientConnection implements ClientSide, Member {
  place = -1;
  readonly socket: Socket;
  readonly out: MessageWriter;
  readonly timer: LazyTimer;
  readonly clock: Clock;
  readonly dates: DateText;
  readonly #host: LaneHost;
  readonly #client: ClientAddress;
  readonly #secure: boolean;
  readonly #reader: SocketReader;
  readonly #parser = new HeadParser('request');
  #current: DirectExchange | undefined;
  /** What has come behind the current request. */
  #rest: Buffer | undefined;
  /** Read since the last request was over. */
  #received = 0;
  /** When the first byte came of a head that is not whole yet. */
  #firstByteAt: number | undefined;
  /** A request has been taken. */
  #asked = false;
  /** The client has ended its side. */
  #ended = false;
  /** Reading has stopped. */
  #paused = false;
  /** No further request is taken. */
  #closing = false;
  /** Requests are being taken up, one after the other. */
  #taking = false;

  constructor(socket: Socket, { host, clock, dates }: LaneSite, onClosed: () => void) {
    this.socket = socket;
    this.clock = clock;
    this.dates = dates;
    this.out = new MessageWriter(socket);
    this.timer = new LazyTimer(clock, () => this.#late());
    this.#host = host;
    this.#client = clientAddress(socket);
    this.#secure = socket instanceof TLSSocket;
    socket.setNoDelay(true);
    socket.allowHalfOpen = true;
    // The end of the connection follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      onClosed();
      this.#closed();
    });
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    this.timer.set(host.timeouts.httpRequest, clock.now());
    this.#reader = SocketReader.of(socket);
    this.#reader.sink = this.#onData;
    this.#reader.start();
  }

  get clientTimeout(): number {
    return this.#host.timeouts.client;
  }

  get bytesIn(): number {
    return this.#received - (this.#rest?.length ?? 0);
  }

  get isLast(): boolean {
    return this.#ended && this.#rest === undefined;
  }

  flow(): void {
    const stop = this.#isFull();
    if (stop === this.#paused || this.#closing) return;
    this.#paused = stop;
    if (!stop) this.#reader.start();
    else if (this.#current?.body?.taken === true) this.socket.pause();
    else this.#reader.hold();
  }

  handOver(): Buffer | undefined {
    const { socket } = this;
    socket.off('end', this.#onEnd);
    socket.off('drain', this.#onDrain);
    this.#reader.sink = undefined;
    this.out.flush();
    const rest = this.#rest;
    this.#rest = undefined;
    this.#received -= rest?.length ?? 0;
    this.#closing = true;
    return rest;
  }

  over(keep: boolean, saidAll: boolean): void {
    this.#current = undefined;
    this.#received = this.#rest?.length ?? 0;
    this.out.bytes = 0;
    if (this.#closing || this.socket.destroyed) return;
    if (!keep) this.#close(saidAll && this.#rest === undefined);
    else if (!this.#taking) this.#take(true);
  }

  /** If it is between two requests, it waits for the next as long as the host says now. */
  hurryIdle(): void {
    if (this.#closing || !this.#asked || this.#current || this.#firstByteAt !== undefined) return;
    this.timer.set(this.#host.timeouts.httpKeepAlive, this.clock.now());
  }

  destroy(reason: VaneError): void {
    this.#closing = true;
    this.timer.stop();
    this.#current?.abort(reason);
    // A tunnel ends in order, and its sockets with it.
    if (!this.#current?.tunnelled) this.out.cut();
  }

  readonly #onData = (bytes: Buffer) => {
    this.#received += bytes.length;
    if (this.#closing) return;
    const { body } = this.#current ?? {};
    if (!this.#current) {
      this.#rest = bytes;
      this.#take(false);
    } else if (!body || body.complete) this.#keep(bytes);
    else if (!this.#readBody(body, bytes)) this.#current.abort(invalid('bad chunk'));
    // The next read overwrites what waits.
    if (this.#rest?.buffer === bytes.buffer) this.#rest = Buffer.from(this.#rest);
    this.#current?.body?.keep();
    this.flow();
  };

  readonly #onEnd = () => {
    this.#ended = true;
    if (this.#closing) return;
    const current = this.#current;
    if (!current && !this.#parser.begun) this.#close(true);
    else if (!current) this.#refuse(undefined, aborted('client ended within a head'));
    else if (!current.complete) {
      // Nobody waits for an answer to half a request.
      current.abort(aborted('client ended within a request'));
      this.#closeNow();
    }
  };

  readonly #onDrain = () => {
    this.#current?.drained();
  };

  #keep(bytes: Buffer): void {
    this.#rest = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
  }

  /** Whether what the client says next has no place yet. */
  #isFull(): boolean {
    const current = this.#current;
    if (!current) return false;
    // Nothing is read behind an upgrade; a socket that is not read still notices a reset.
    if (current.head.upgrade || this.#rest) return true;
    return !current.complete && current.body?.full === true;
  }

  #readBody(body: RequestBody, bytes: Buffer): boolean {
    const end = body.push(bytes, 0);
    if (end >= 0 && end < bytes.length) this.#keep(bytes.subarray(end));
    return end >= 0;
  }

  /**
   * Takes up what has been read, request by request.
   * @param over a request was over just now
   */
  #take(over: boolean): void {
    let took = over;
    this.#taking = true;
    while (this.#rest && !this.#current && !this.#closing) {
      const bytes = this.#rest;
      this.#rest = undefined;
      took = this.#readHead(bytes) || took;
    }
    this.#taking = false;
    this.flow();
    if (took && !this.#current && !this.#closing) this.#wait();
  }

  /** Waits for the next request, or for the rest of its head. */
  #wait(): void {
    if (this.#firstByteAt !== undefined) return;
    if (this.#ended) this.#close(true);
    else this.timer.set(this.#host.timeouts.httpKeepAlive, this.clock.now());
  }

  /** True: that was a request, and it has been handed over. */
  #readHead(bytes: Buffer): boolean {
    const parser = this.#parser;
    const progress = parser.read(bytes, 0);
    if (progress === 'more') {
      if (parser.begun) this.#began();
      return false;
    }
    if (progress !== 'done') {
      this.#refuse(progress === 'large' ? 431 : 400, invalid(`${progress} head`));
      return false;
    }
    if (parser.end < bytes.length) this.#rest = bytes.subarray(parser.end);
    const request = readIncoming(parser, this.#secure);
    if ('refused' in request) {
      this.#refuse(request.status, invalid(request.refused));
      return false;
    }
    return this.#begin(request);
  }

  #began(): void {
    if (this.#firstByteAt === undefined) {
      this.#firstByteAt = this.clock.now();
      this.timer.set(this.#host.timeouts.httpRequest, this.#firstByteAt);
    }
    if (this.#ended) this.#refuse(undefined, aborted('client ended within a head'));
  }

  #begin(request: IncomingRequest): boolean {
    const { head, framing } = request;
    const body = head.bodyless || framing === 'none' ? undefined : new RequestBody(framing);
    const rest = this.#rest;
    let sound = true;
    if (body && rest) {
      this.#rest = undefined;
      sound = this.#readBody(body, rest);
    }
    if (this.#ended && body?.complete === false) {
      this.#refuse(undefined, aborted('client ended within a request'));
      return false;
    }
    const headAt = this.clock.now();
    const startedAt = this.#firstByteAt ?? headAt;
    this.#firstByteAt = undefined;
    this.#asked = true;
    this.timer.clear();
    this.#current = new DirectExchange(this, request, body, { client: this.#client, startedAt, headAt });
    const exchange = this.#current;
    this.#host.handle(exchange);
    if (!sound) exchange.abort(invalid('bad chunk'));
    return true;
  }

  /**
   * Turns away what is no request, and closes.
   * @param status undefined: without a word
   */
  #refuse(status: number | undefined, error: VaneError): void {
    this.#stop();
    this.#rest = undefined;
    if (status === undefined) this.socket.destroy();
    else {
      this.out.writeText(renderClosing(errorAnswer(status), this.clock.wall()));
      this.#linger();
    }
    this.#host.refused({
      client: this.#client,
      startedAt: this.#firstByteAt ?? this.clock.now(),
      error,
      status,
      bytesIn: this.#received,
      bytesOut: this.out.bytes,
    });
  }

  #late(): void {
    if (this.#current) this.#current.late();
    else if (this.#firstByteAt === undefined) {
      // A client that asks again at this very moment is to see an end, not a reset.
      if (this.#asked) this.#close(false);
      else this.#closeNow();
    } else {
      const message = 'client did not send a whole request head in time';
      this.#refuse(408, new VaneError('CLIENT_TIMEOUT', message));
    }
  }

  /**
   * All that was asked is answered.
   * @param saidAll the client is not in the middle of anything
   */
  #close(saidAll: boolean): void {
    this.#stop();
    this.#rest = undefined;
    if (!saidAll) this.#linger();
    // Everything is on its way: the end follows it by itself, and shutting down first would only take longer.
    else if (this.out.flushed && !this.#secure) this.socket.destroy();
    else this.socket.destroySoon();
  }

  #linger(): void {
    this.#reader.sink = undefined;
    closeGently(this.socket, this.clock);
  }

  /** Without a word: nothing was asked. */
  #closeNow(): void {
    this.#stop();
    this.socket.destroy();
  }

  /** Takes no further request; what has been said goes out. */
  #stop(): void {
    this.#closing = true;
    this.timer.stop();
    this.out.flush();
  }

  #closed(): void {
    this.timer.stop();
    const current = this.#current;
    // Errors are dear: most connections end with nothing to be told.
    if (current) {
      if (!current.tunnelled) current.abort(aborted('client closed the connection'));
    } else if (!this.#closing && this.#firstByteAt !== undefined) {
      this.#refuse(undefined, aborted('client closed the connection'));
    }
    this.#closing = true;
    this.#rest = undefined;
  }
}

function invalid(why: string): VaneError {
  return new VaneError('REQUEST_INVALID', why);
}

function aborted(why: string): VaneError {
  return new VaneError('CLIENT_ABORTED', why);
}
