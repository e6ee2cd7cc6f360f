import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Cancel, Clock } from '../../../core/clock.ts';
import { VaneError } from '../../../core/errors.ts';
import { errorAnswer } from '../../request/answers.ts';
import { clientAddress } from '../../tcp/client-address.ts';
import { cut } from '../../tcp/cut.ts';
import { closeGently } from '../../tcp/linger.ts';
import type { LaneHost } from '../host.ts';
import type { ClientAddress } from '../lane.ts';
import { ClientSide } from './client-side.ts';
import { CompatExchange } from './exchange.ts';
import { renderClosing } from './local-answer.ts';
import { Reply } from './reply.ts';
import { type ReadRequest, readRequest } from './request-head.ts';

/** Requests read ahead of their turn before reading stops: enough for clients that send some at once. */
const MAX_WAITING = 32;

/** What a client expects before it sends the body (RFC 9110, section 10.1.1). */
export type Expectation = 'none' | 'continue' | 'unknown';

/** What Node has parsed off the connection. */
export interface Arrival {
  readonly incoming: IncomingMessage;
  /** Undefined for an upgrade, and for CONNECT. */
  readonly response?: ServerResponse;
  readonly expectation?: Expectation;
  /** What came behind the head of an upgrade. */
  readonly first?: Buffer;
  /** Nothing that is parsed behind it can be trusted. */
  readonly last?: boolean;
}

interface Waiting extends Arrival {
  readonly startedAt: number;
  readonly headAt: number;
}

/** Why nothing more can be read: the answer to give when all before it are answered; undefined: none. */
interface Broken {
  readonly status: number | undefined;
  readonly error: VaneError;
}

/**
 * One client's connection: hands its requests to the host one after another, times the client between and inside
 * heads, and turns away what is no request.
 */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #host: LaneHost;
  readonly #clock: Clock;
  readonly #client: ClientAddress;
  readonly #secure: boolean;
  #current: CompatExchange | undefined;
  #waiting: Waiting[] = [];
  /** Reading has stopped because of them. */
  #full = false;
  /** The last request whose head was read. */
  #latest: IncomingMessage | undefined;
  /** When the first byte came of a head that is not whole yet. */
  #firstByteAt: number | undefined;
  #broken: Broken | undefined;
  /** The latest request is the last. */
  #last = false;
  /** No further request is taken. */
  #closing = false;
  #cancelTimer: Cancel | undefined;
  #readBefore = 0;
  #writtenBefore = 0;

  /** @param socket has just been given to Node's server */
  constructor(socket: Socket, host: LaneHost, clock: Clock, onClosed: () => void) {
    this.#socket = socket;
    this.#host = host;
    this.#clock = clock;
    this.#client = clientAddress(socket);
    this.#secure = socket instanceof TLSSocket;
    socket.setNoDelay(true);
    socket.allowHalfOpen = true;
    // Node calls it behind the last answer; the client may not have said all that it wants to say.
    socket.destroySoon = () => this.#close();
    socket.on('error', () => {});
    socket.on('close', () => {
      onClosed();
      this.#closed();
    });
    // Before Node's own, so that the time of the first byte is known when the head has been parsed.
    socket.prependListener('data', this.#beforeParsing);
    // Whoever read the head of the PROXY protocol left it so.
    if (socket.isPaused()) socket.resume();
    socket.on('data', this.#afterParsing);
    this.#arm(host.timeouts.httpRequest);
  }

  /** A head was read. */
  arrived(arrival: Arrival): void {
    if (this.#closing || this.#last) return;
    const now = this.#clock.now();
    this.#last = arrival.last ?? false;
    if (this.#last && arrival.response) arrival.response.shouldKeepAlive = false;
    this.#latest = arrival.incoming;
    this.#waiting.push({ ...arrival, startedAt: this.#firstByteAt ?? now, headAt: now });
    this.#firstByteAt = undefined;
    if (!arrival.response) this.#readAhead();
    if (!this.#current) this.#next();
  }

  /** What came is no HTTP, or ended where it must not. */
  unparsable(error: Error & { code?: string }): void {
    // Errors of the connection itself are followed by its end.
    if (this.#closing || this.#broken || !error.code?.startsWith('HPE_')) return;
    const latest = this.#latest;
    if (this.#last && latest?.complete) return;
    this.#broken = brokenBy(error.code, error.message);
    if (latest?.complete === false && this.#waiting.every(({ incoming }) => incoming !== latest)) {
      this.#current?.abort(this.#broken.error);
      // Nobody waits for an answer to half a request.
      if (this.#broken.status === undefined) this.#closeNow();
    } else if (!this.#current) this.#refuse(this.#broken, this.#firstByteAt);
  }

  /** If it is between two requests, it waits for the next as long as the host says now. */
  hurryIdle(): void {
    if (this.#closing || !this.#latest || this.#current || this.#firstByteAt !== undefined) return;
    this.#arm(this.#host.timeouts.httpKeepAlive);
  }

  destroy(reason: VaneError): void {
    this.#closing = true;
    this.#cancelTimer?.();
    this.#current?.abort(reason);
    // A tunnel ends in order, and its sockets with it.
    if (!this.#current?.tunnelled) cut(this.#socket);
  }

  readonly #beforeParsing = (bytes: Buffer) => {
    if (this.#firstByteAt !== undefined || this.#latest?.complete === false || isBlank(bytes)) return;
    this.#firstByteAt = this.#clock.now();
    if (!this.#current) this.#arm(this.#host.timeouts.httpRequest);
  };

  readonly #afterParsing = () => {
    if (this.#waiting.length < MAX_WAITING) return;
    this.#full = true;
    this.#socket.pause();
  };

  /** Nothing is parsed behind an upgrade; only a socket that is read notices its end. */
  #readAhead(): void {
    this.#socket.off('data', this.#beforeParsing);
    this.#socket.off('data', this.#afterParsing);
    this.#full = false;
    this.#socket.pause();
    this.#socket.read(0);
  }

  /** Takes the next request up, or waits for one. */
  #next(): void {
    this.#cancelTimer?.();
    const next = this.#waiting.shift();
    if (next) this.#take(next);
    else if (this.#broken) this.#refuse(this.#broken, this.#firstByteAt);
    else if (this.#firstByteAt !== undefined) this.#arm(this.#host.timeouts.httpRequest);
    else this.#arm(this.#host.timeouts.httpKeepAlive);
  }

  #take(request: Waiting): void {
    const { incoming, response, first, startedAt, headAt } = request;
    const read = this.#read(request);
    if ('error' in read) {
      this.#refuse(read, startedAt);
      return;
    }
    if (this.#full && this.#waiting.length < MAX_WAITING) {
      this.#full = false;
      this.#socket.resume();
    }
    const expects = request.expectation === 'continue';
    const isLast = () => this.#socket.readableEnded && this.#waiting.length === 0;
    const socket = this.#socket;
    const reply = new Reply({ incoming, socket, response, expects, isLast });
    const before = { read: this.#readBefore, written: this.#writtenBefore };
    this.#current = new CompatExchange({
      ...read,
      client: this.#client,
      startedAt,
      headAt,
      side: new ClientSide(incoming, reply, { socket, first }, before),
      clock: this.#clock,
      clientTimeout: () => this.#host.timeouts.client,
      onOver: () => this.#over(),
    });
    this.#host.handle(this.#current);
  }

  /** What is asked, or why it is refused. */
  #read({ incoming, expectation, first }: Waiting): ReadRequest | Broken {
    if (this.#broken && incoming === this.#latest && !incoming.complete) return this.#broken;
    const read = readRequest(incoming, first !== undefined, this.#secure);
    if ('refused' in read) return invalid(400, read.refused);
    return expectation === 'unknown' ? invalid(417, 'Expect is not 100-continue') : read;
  }

  #over(): void {
    this.#current = undefined;
    this.#readBefore = this.#socket.bytesRead;
    this.#writtenBefore = this.#socket.bytesWritten;
    if (!this.#closing && !this.#socket.destroyed) this.#next();
  }

  /** Answers what is no request, and closes. */
  #refuse({ status, error }: Broken, startedAt = this.#clock.now()): void {
    this.#closing = true;
    this.#waiting = [];
    this.#cancelTimer?.();
    if (status === undefined) this.#socket.destroy();
    else {
      this.#socket.write(renderClosing(errorAnswer(status), this.#clock.wall()), 'latin1');
      closeGently(this.#socket, this.#clock);
    }
    this.#host.refused({
      client: this.#client,
      startedAt,
      error,
      status,
      bytesIn: this.#socket.bytesRead - this.#readBefore,
      bytesOut: this.#socket.bytesWritten - this.#writtenBefore,
    });
  }

  #arm(wait: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = wait > 0 ? this.#clock.after(wait, () => this.#late()) : undefined;
  }

  #late(): void {
    if (this.#firstByteAt === undefined) {
      // A client that asks again at this very moment is to see an end, not a reset.
      if (this.#latest) this.#linger();
      else this.#closeNow();
      return;
    }
    const error = new VaneError('CLIENT_TIMEOUT', 'client did not send a whole request head in time');
    this.#refuse({ status: 408, error }, this.#firstByteAt);
  }

  /** The last answer is out. */
  #close(): void {
    this.#closing = true;
    this.#cancelTimer?.();
    const saidAll = this.#latest?.complete && this.#waiting.length === 0 && !this.#broken && !this.#last;
    if (saidAll) Socket.prototype.destroySoon.call(this.#socket);
    else this.#linger();
  }

  /** The client may still say something, which nobody takes any more. */
  #linger(): void {
    this.#closing = true;
    this.#cancelTimer?.();
    closeGently(this.#socket, this.#clock);
  }

  /** Without a word: nothing was asked. */
  #closeNow(): void {
    this.#closing = true;
    this.#cancelTimer?.();
    this.#socket.destroy();
  }

  #closed(): void {
    this.#cancelTimer?.();
    const current = this.#current;
    const error = new VaneError('CLIENT_ABORTED', 'client closed the connection');
    if (current && !current.tunnelled) current.abort(error);
    else if (!current && !this.#closing && this.#firstByteAt !== undefined) {
      this.#refuse({ status: undefined, error }, this.#firstByteAt);
    }
    this.#closing = true;
    this.#waiting = [];
  }
}

function invalid(status: number, why: string): Broken {
  return { status, error: new VaneError('REQUEST_INVALID', why) };
}

function brokenBy(code: string, message: string): Broken {
  // The client ended its side inside a request.
  if (code === 'HPE_INVALID_EOF_STATE') {
    return { status: undefined, error: new VaneError('CLIENT_ABORTED', 'client ended within a request') };
  }
  return invalid(code === 'HPE_HEADER_OVERFLOW' ? 431 : 400, message);
}

/** Empty lines before a request are no part of it (RFC 9112, section 2.2). */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x0d || byte === 0x0a);
}
