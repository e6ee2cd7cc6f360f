import type { Socket } from 'node:net';
import { asVaneError, messageOf, VaneError } from '../../../core/errors.ts';
import { isRepeatable } from '../../request/retry.ts';
import { type Relay, relay } from '../../tcp/relay.ts';
import { endToEndTrailers, interimHeaders } from '../compat/response-head.ts';
import type { Attempt, AttemptOutcome, AttemptPhase } from '../lane.ts';
import type { Side } from '../turn-timer.ts';
import { type Answer, isWebSocketSwitch, readAnswer } from './answer.ts';
import type { ForwardedRequest } from './forwarded-request.ts';
import { LazyTimer } from './lazy-timer.ts';
import { renderHead, renderRequest } from './render.ts';
import type { BodySink } from './request-body.ts';
import { type LineUser, ServerLine } from './server-line.ts';

/**
 * Requests that must not be sent twice go over idle connections only if these were good so recently, ms: a server
 * that closes one at the very moment we use it would fail them.
 */
const SURELY_GOOD_MS = 500;

const EMPTY = Buffer.alloc(0);

/** One try at one server: a connection, the request over it, the answer to the client. */
export class ServerAttempt implements LineUser, BodySink {
  /** Set once protocols are switched. */
  tunnel: Relay | undefined;
  readonly #attempt: Attempt;
  readonly #exchange: ForwardedRequest;
  readonly #startedAt: number;
  readonly #clientTimeout: number;
  /** Times the silence of whoever's turn it is. */
  readonly #timer: LazyTimer;
  #connecting: AbortController | undefined;
  #line: ServerLine | undefined;
  #answer: Answer | undefined;
  #turn: Side = 'server';
  #done = false;
  #reused = false;
  #connectMs: number | undefined;
  #headersMs: number | undefined;
  #status: number | undefined;
  #responseStarted = false;
  /** The server's connection is not read: the client is full. */
  #paused = false;
  /** The server has said all. */
  #whole = false;
  #bytesToServer = 0;
  #bytesFromServer = 0;

  /** @param beside another attempt is under way, which has the timer of the request */
  constructor(attempt: Attempt, exchange: ForwardedRequest, beside: boolean) {
    const { timer, clock, clientTimeout } = exchange.side;
    this.#attempt = attempt;
    this.#exchange = exchange;
    this.#startedAt = attempt.startedAt;
    this.#clientTimeout = clientTimeout;
    this.#timer = beside ? new LazyTimer(clock, () => this.stalled()) : timer;
  }

  /** The server takes no more of the request for now. */
  get full(): boolean {
    return this.#line?.out.full ?? false;
  }

  /** @param aborted why there is nothing left to try */
  run(aborted: VaneError | undefined): void {
    const { connections, fresh } = this.#attempt;
    this.#attempt.cancel = (reason) => this.cancel(reason);
    if (aborted) {
      this.#finish(aborted);
      return;
    }
    const within = isRepeatable(this.#exchange.head) ? undefined : SURELY_GOOD_MS;
    const idle = fresh ? undefined : connections.takeIdle(within);
    this.#reused = idle !== undefined;
    if (idle) {
      this.#connectMs = 0;
      this.#send(idle, this.#startedAt);
    } else void this.#connect();
  }

  /** Ends it now; an answer that has begun breaks off for the client, and a tunnel is closed. */
  cancel(reason: VaneError): void {
    if (this.tunnel) this.tunnel.close(reason);
    else this.#fail(reason);
  }

  /** Whoever's turn it is has done nothing for too long. */
  stalled(): void {
    if (this.#turn === 'client') {
      const message = `client did nothing for ${this.#clientTimeout} ms`;
      this.#exchange.abort(new VaneError('CLIENT_TIMEOUT', message));
    } else {
      const limit = this.#attempt.timeout.server;
      this.#fail(new VaneError('UPSTREAM_TIMEOUT', `server did nothing for ${limit} ms`));
    }
  }

  onBody(bytes: Buffer, from: number, to: number, last: boolean): void {
    this.#line?.out.write(bytes, from, to, last);
    this.#moved();
  }

  onData(bytes: Buffer): void {
    this.#bytesFromServer += bytes.length;
    const start = this.#answer ? 0 : this.#readHeads(bytes);
    if (this.#answer && !this.#done) this.#pass(this.#answer, bytes, start);
  }

  onEnd(): void {
    const line = this.#line;
    line?.body.close();
    if (!this.#answer || !line?.body.complete) {
      this.onBroken('ended');
      return;
    }
    this.#exchange.side.out.write(EMPTY, 0, 0, true);
    this.#complete(line, false);
  }

  onBroken(why: string): void {
    const when = this.#responseStarted ? 'in the middle of its answer' : 'before it answered';
    this.#fail(new VaneError('UPSTREAM_CLOSED', `server closed the connection ${when}: ${why}`));
  }

  onDrain(): void {
    this.#exchange.side.flow();
    this.#moved();
  }

  clientDrained(): void {
    if (this.#paused && !this.#whole) {
      this.#paused = false;
      this.#line?.socket.resume();
    }
    this.#moved();
  }

  async #connect(): Promise<void> {
    const { connections, timeout } = this.#attempt;
    const connecting = new AbortController();
    this.#connecting = connecting;
    let socket: Socket;
    try {
      socket = await connections.connect(timeout.connect, connecting.signal, this.#exchange.client);
    } catch (error) {
      this.#finish(asVaneError(error, 'CONNECT_FAILED'));
      return;
    }
    if (this.#done) {
      // A last error of it concerns nobody, but must not be uncaught.
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const now = this.#exchange.side.clock.now();
    this.#connectMs = now - this.#startedAt;
    this.#send(socket, now);
  }

  #send(socket: Socket, now: number): void {
    const { head, framing, body } = this.#exchange;
    const line = ServerLine.of(socket);
    this.#line = line;
    line.begin(this);
    const text = renderRequest(head, framing, this.#attempt);
    if (text === undefined) {
      this.#fail(
        new VaneError('INTERNAL', 'request cannot be sent: bad octet in its target or a header field'),
      );
      return;
    }
    line.out.begin(text, framing === 'chunked');
    if (body) {
      // With the head goes what there is of the body; the head goes at once, since the server may refuse the rest.
      body.sendTo(this, this.#attempt.keepBody);
      this.#exchange.askForBody();
      this.#exchange.side.flow();
    } else line.out.writeHead();
    this.#moved(now);
  }

  /** Something moved: whose turn is it now? */
  #moved(now?: number): void {
    if (this.#done || this.tunnel) return;
    this.#turn = this.#side();
    const limit = this.#turn === 'client' ? this.#clientTimeout : this.#attempt.timeout.server;
    this.#timer.set(limit, now ?? this.#exchange.side.clock.now());
  }

  #side(): Side {
    if (this.#answer) return this.#whole || this.#paused ? 'client' : 'server';
    return this.#exchange.complete || this.full ? 'server' : 'client';
  }

  /** Reads heads up to the final answer's; returns where its body begins. */
  #readHeads(bytes: Buffer): number {
    const line = this.#line;
    for (let at = 0; line && at < bytes.length && !this.#done; at = line.parser.end) {
      const progress = line.parser.read(bytes, at);
      // A head that drips in is waited for no longer than one that does not come at all, as in HAProxy.
      if (progress === 'more') break;
      if (progress !== 'done') {
        this.#fail(new VaneError('UPSTREAM_PROTOCOL', `answer is no HTTP: ${progress} head`));
        break;
      }
      const { status, headers, end } = line.parser;
      if (status === 101) this.#switch(line, bytes.subarray(end));
      else if (status >= 100 && status < 200) this.#inform(status, headers);
      else this.#begin(line);
      if (this.#answer || this.tunnel) return end;
    }
    return bytes.length;
  }

  #inform(status: number, headers: readonly string[]): void {
    this.#moved();
    // The client's own expectation has been met before the body was read.
    if (status !== 100) this.#exchange.inform(status, interimHeaders(headers));
  }

  #begin(line: ServerLine): void {
    const { status, reason } = line.parser;
    if (this.#declined(status)) return;
    const answer = readAnswer(this.#exchange.head.method, line.parser);
    if ('refused' in answer) {
      this.#fail(new VaneError('UPSTREAM_PROTOCOL', `answer not understood: ${answer.refused}`));
      return;
    }
    line.body.begin(answer.length);
    // A client that is still sending when its answer begins has to be sent away after it, and so has the server.
    const early = !this.#exchange.complete;
    const { framed, reusable } = answer;
    const headers = this.#attempt.edit?.(answer.headers) ?? answer.headers;
    try {
      this.#exchange.begin({ status, reason, headers, framed }, early || this.#attempt.closeAfter);
    } catch (thrown) {
      this.#fail(new VaneError('UPSTREAM_PROTOCOL', `answer cannot be passed on: ${messageOf(thrown)}`));
      return;
    }
    this.#answer = early && reusable ? { ...answer, reusable: false } : answer;
  }

  /** Tells of the answer; true: it is not wanted, and this attempt is over. */
  #declined(status: number): boolean {
    this.#headersMs = this.#elapsed();
    this.#status = status;
    if (!this.#attempt.answered(status, this.#replayable)) return false;
    this.#fail(new VaneError('UPSTREAM_STATUS', `server answered ${status}`));
    return true;
  }

  /** Passes on what there is of the answer's body, from `start`. */
  #pass(answer: Answer, bytes: Buffer, start: number): void {
    const line = this.#line;
    if (!line) return;
    const { body, socket } = line;
    const { out } = this.#exchange.side;
    const end = body.read(bytes, start);
    if (end < 0) {
      this.#fail(new VaneError('UPSTREAM_PROTOCOL', 'answer is no HTTP: bad chunk'));
      return;
    }
    this.#responseStarted = true;
    if (body.complete) {
      const trailers = body.trailers.length > 0 ? endToEndTrailers(body.trailers).flat() : body.trailers;
      out.write(bytes, body.from, body.to, true, trailers);
      this.#complete(line, answer.reusable && end === bytes.length);
      return;
    }
    out.write(bytes, body.from, body.to, false);
    if (out.full) {
      this.#paused = true;
      socket.pause();
    }
    this.#moved();
  }

  /** The answer is whole, whether the client has all of it or not. */
  #complete(line: ServerLine, reusable: boolean): void {
    this.#whole = true;
    this.#bytesToServer = line.out.bytes;
    line.user = undefined;
    // The end of the request may have come just before: whoever uses the connection next must not get ahead of it.
    if (reusable) line.out.flush();
    if (reusable && line.out.flushed) this.#attempt.connections.giveBack(line.socket);
    else line.socket.destroy();
    const { out } = this.#exchange.side;
    if (out.flushed) {
      this.#finish(undefined);
      return;
    }
    this.#moved();
    out.onFlushed(() => this.#finish(undefined));
  }

  #switch(line: ServerLine, fromServer: Buffer): void {
    const exchange = this.#exchange;
    const { head, side } = exchange;
    const { reason, headers } = line.parser;
    if (this.#declined(101)) return;
    if (!exchange.handOver || !head.upgrade || !isWebSocketSwitch(line.parser)) {
      const message = 'server switched to a protocol that nobody asked for';
      this.#fail(new VaneError('UPSTREAM_PROTOCOL', message));
      return;
    }
    this.#timer.clear();
    this.#responseStarted = true;
    this.#bytesToServer = line.out.bytes;
    this.#bytesFromServer -= fromServer.length;
    const { socket: server } = line;
    line.release();
    const { socket: client, first: fromClient } = exchange.handOver(
      renderHead(`HTTP/1.1 101 ${reason}`, this.#attempt.edit?.(headers) ?? headers),
    );
    const { clock } = side;
    const idle = this.#attempt.timeout.tunnel;
    const first = { fromServer, ...(fromClient && { fromClient }) };
    this.tunnel = relay({ client, server, clock, idle, webSocket: true, ...first });
    void this.tunnel.ended.then(({ error }) => this.#finish(error));
  }

  #fail(error: VaneError): void {
    if (this.#done) return;
    // The client must not take what it has for the whole answer.
    if (this.#responseStarted) this.#exchange.side.out.cut();
    this.#finish(error);
  }

  #finish(error: VaneError | undefined): void {
    if (this.#done) return;
    this.#done = true;
    this.#attempt.cancel = undefined;
    if (this.#timer === this.#exchange.side.timer) this.#timer.clear();
    else this.#timer.stop();
    const outcome = this.#result(error);
    if (error) {
      this.#connecting?.abort(error);
      if (!this.#whole) this.#drop();
    }
    this.#exchange.attempted(this, this.#attempt, outcome);
  }

  #drop(): void {
    const line = this.#line;
    if (!line) return;
    line.user = undefined;
    line.socket.destroy();
  }

  #result(error: VaneError | undefined): AttemptOutcome {
    const { tunnel } = this;
    const out = this.#line?.out;
    // What was still waiting when the attempt ended never goes out.
    const sent = out?.unsent ? 0 : (out?.bytes ?? 0);
    const own = this.#whole || tunnel ? this.#bytesToServer : sent;
    const bytesToServer = own + (tunnel?.bytesToServer ?? 0);
    return {
      error,
      phase: this.#phase(),
      status: this.#status,
      responseStarted: this.#responseStarted,
      nothingSent: bytesToServer === 0,
      replayable: this.#replayable,
      reused: this.#reused,
      connectMs: this.#connectMs,
      headersMs: this.#headersMs,
      bytesToServer,
      bytesFromServer: this.#bytesFromServer + (tunnel?.bytesToClient ?? 0),
    };
  }

  get #replayable(): boolean {
    return !this.#exchange.body?.taken;
  }

  #phase(): AttemptPhase {
    if (!this.#line) return 'connect';
    if (this.#status !== undefined) return 'data';
    return this.#exchange.complete && this.#line.out.flushed ? 'headers' : 'request';
  }

  #elapsed(): number {
    return this.#exchange.side.clock.now() - this.#startedAt;
  }
}
