import type { ClientRequest, IncomingMessage, InformationEvent } from 'node:http';
import type { Socket } from 'node:net';
import { asVaneError, messageOf, VaneError } from '../../../core/errors.ts';
import { isRepeatable } from '../../request/retry.ts';
import type { Attempt, AttemptOutcome, AttemptPhase } from '../lane.ts';
import { type Side, TurnTimer } from '../turn-timer.ts';
import { Download } from './download.ts';
import { sendOutgoing } from './outgoing.ts';
import { headerTable, ownHeaders } from './request-headers.ts';
import { interimHeaders, type ResponseHead, readResponseHead } from './response-head.ts';
import { ServerLine } from './server-line.ts';
import type { AttemptSite } from './site.ts';
import { openTunnel, type Tunnel } from './tunnel.ts';
import { Upload } from './upload.ts';

/**
 * Requests that must not be sent twice go over idle connections only if these were good so recently, ms: a server
 * that closes one at the very moment we use it would fail them.
 */
const SURELY_GOOD_MS = 500;

/** One try at one server: a connection, the request over it, the answer to the client. */
export class ServerAttempt {
  readonly #attempt: Attempt;
  readonly #site: AttemptSite;
  readonly #startedAt: number;
  readonly #timer: TurnTimer;
  readonly #upload: Upload;
  readonly #outcome = Promise.withResolvers<AttemptOutcome>();
  #done = false;
  #phase: AttemptPhase = 'connect';
  #reused = false;
  #connectMs: number | undefined;
  #headersMs: number | undefined;
  #status: number | undefined;
  #responseStarted = false;
  #connecting: AbortController | undefined;
  #line: ServerLine | undefined;
  #request: ClientRequest | undefined;
  #message: IncomingMessage | undefined;
  #download: Download | undefined;
  #tunnel: Tunnel | undefined;
  /** The answer began before the request was out: the connection to the server is not used again. */
  #early = false;

  constructor(attempt: Attempt, site: AttemptSite) {
    this.#attempt = attempt;
    this.#site = site;
    this.#startedAt = attempt.startedAt;
    const limits = { client: site.clientTimeout, server: attempt.timeout.server };
    this.#timer = new TurnTimer(site.clock, limits, (side) => this.#stalled(side));
    this.#upload = new Upload(site.head, site.side, attempt.keepBody, () => this.#moved());
  }

  get tunnelled(): boolean {
    return this.#tunnel !== undefined;
  }

  /** @param aborted why there is nothing left to try */
  run(aborted: VaneError | undefined): Promise<AttemptOutcome> {
    this.#attempt.cancel = (reason) => this.cancel(reason);
    if (aborted) this.#finish(aborted);
    else void this.#connect();
    return this.#outcome.promise;
  }

  /** Ends it now; an answer that has begun breaks off for the client, and a tunnel is closed. */
  cancel(reason: VaneError): void {
    if (this.#tunnel) this.#tunnel.close(reason);
    else this.#fail(reason);
  }

  async #connect(): Promise<void> {
    const { connections, fresh, timeout } = this.#attempt;
    const within = isRepeatable(this.#site.head) ? undefined : SURELY_GOOD_MS;
    let socket = fresh ? undefined : connections.takeIdle(within);
    this.#reused = socket !== undefined;
    if (!socket) {
      this.#connecting = new AbortController();
      try {
        socket = await connections.connect(timeout.connect, this.#connecting.signal, this.#site.client);
      } catch (error) {
        this.#finish(asVaneError(error, 'CONNECT_FAILED'));
        return;
      }
    }
    if (this.#done) socket.destroy();
    else this.#send(socket);
  }

  #send(socket: Socket): void {
    const { head, body } = this.#site;
    const { server, target, headers } = this.#attempt;
    const { method } = head;
    const line = new ServerLine(socket, () => this.#message?.complete ?? false);
    this.#line = line;
    this.#connectMs = this.#reused ? 0 : this.#elapsed();
    this.#phase = 'request';
    const table = headerTable([...headers, ...ownHeaders(method, body, head.upgrade)]);
    try {
      this.#request = sendOutgoing(
        { socket, server, method, target, headers: table, body: this.#upload.body },
        {
          onResponse: (message) => this.#respond(message),
          onUpgrade: (message, first) => this.#upgrade(message, first),
          onInformation: (information) => this.#inform(information),
          onError: (error) => this.#broke(error),
          onFree: () => this.#release(),
        },
      );
    } catch (error) {
      this.#fail(asVaneError(error));
      return;
    }
    this.#request.once('socket', () => line.watch());
    this.#request.once('finish', () => {
      if (this.#phase === 'request') this.#phase = 'headers';
    });
    this.#upload.begin(this.#request);
    this.#moved();
  }

  /** Something moved: whose turn is it now? */
  #moved(): void {
    if (this.#done || this.#tunnel) return;
    this.#timer.turn(this.#side());
  }

  #side(): Side {
    if (this.#download) return this.#download.full ? 'client' : 'server';
    return this.#upload.wantsClient ? 'client' : 'server';
  }

  #stalled(side: Side): void {
    if (side === 'client') {
      const { clientTimeout, onStalled } = this.#site;
      onStalled(new VaneError('CLIENT_TIMEOUT', `client did nothing for ${clientTimeout} ms`));
    } else {
      const limit = this.#attempt.timeout.server;
      this.#fail(new VaneError('UPSTREAM_TIMEOUT', `server did nothing for ${limit} ms`));
    }
  }

  #inform({ statusCode, rawHeaders }: InformationEvent): void {
    if (this.#done) return;
    this.#moved();
    // The client's own expectation has been met before the body was read.
    if (statusCode !== 100 && !this.#site.isDivided())
      this.#site.side.reply.inform(statusCode, interimHeaders(rawHeaders));
  }

  #respond(message: IncomingMessage): void {
    // Or what breaks it off would be uncaught.
    message.on('error', (error) => this.#broke(error));
    if (this.#done) return;
    const { statusCode: status = 0, httpVersion, rawHeaders } = message;
    if (this.#declined(status)) return;
    const head = readResponseHead(this.#site.head.method, { status, httpVersion, headers: rawHeaders });
    if ('refused' in head) {
      this.#fail(new VaneError('UPSTREAM_PROTOCOL', `answer not understood: ${head.refused}`));
      return;
    }
    this.#message = message;
    this.#early = !this.#request?.writableFinished;
    if (this.#begin(head, status, message.statusMessage)) this.#pass(message, head);
  }

  /** Tells of the answer; true: it is not wanted, and this attempt is over. */
  #declined(status: number): boolean {
    this.#headersMs = this.#elapsed();
    this.#status = status;
    this.#phase = 'data';
    if (!this.#attempt.answered(status, this.#replayable)) return false;
    this.#fail(new VaneError('UPSTREAM_STATUS', `server answered ${status}`));
    return true;
  }

  get #replayable(): boolean {
    return this.#site.head.bodyless || !this.#site.side.kept.lost;
  }

  /** Sends the answer's head to the client. False: it cannot be sent, and this attempt has failed. */
  #begin({ headers: given, framed }: ResponseHead, status: number, message: string | undefined): boolean {
    const headers = this.#attempt.edit?.(given) ?? given;
    // A client that is still sending when its answer is over has to be sent away after it.
    const close = this.#attempt.closeAfter || !this.#request?.writableEnded;
    try {
      this.#site.side.reply.begin({ status, message, headers, framed }, close, () => this.#finish(undefined));
    } catch (error) {
      this.#unpassable(error);
      return false;
    }
    this.#responseStarted = true;
    return true;
  }

  #pass(message: IncomingMessage, head: ResponseHead): void {
    const { reply, taker } = this.#site.side;
    this.#download = new Download(message, reply, taker, {
      onMoved: () => this.#moved(),
      // Otherwise Node closes the connection itself, or says that it is free.
      onWhole: () => this.#early && this.#line?.destroy(),
      onError: (error) => this.#unpassable(error),
    });
    if (head.contradictory) {
      this.#line?.destroy();
      this.#download.finish();
    } else {
      this.#download.begin();
    }
    this.#moved();
  }

  #unpassable(error: unknown): void {
    this.#fail(new VaneError('UPSTREAM_PROTOCOL', `answer cannot be passed on: ${messageOf(error)}`));
  }

  /** Request and answer have ended well between the server and us, whether the client has all or not. */
  #release(): void {
    if (this.#message?.complete && !this.#early) this.#line?.giveBack(this.#attempt.connections);
    else this.#line?.destroy();
  }

  #upgrade(message: IncomingMessage, fromServer: Buffer): void {
    const line = this.#line;
    if (this.#done || !line) return;
    const { clock, head, side } = this.#site;
    const { upgradable } = side;
    if (this.#declined(message.statusCode ?? 0)) return;
    if (!head.upgrade || message.headers.upgrade?.toLowerCase() !== 'websocket') {
      this.#fail(new VaneError('UPSTREAM_PROTOCOL', 'server switched to a protocol that nobody asked for'));
      return;
    }
    this.#timer.stop();
    this.#responseStarted = true;
    line.unwatch();
    const { socket: server } = line;
    const idle = this.#attempt.timeout.tunnel;
    const { socket: client, first: fromClient } = upgradable;
    const headers = this.#attempt.edit?.(message.rawHeaders) ?? message.rawHeaders;
    this.#tunnel = openTunnel({ client, server, message, headers, fromClient, fromServer, clock, idle });
    void this.#tunnel.ended.then((end) => this.#finish(end.error));
  }

  #broke(error: Error & { code?: string }): void {
    // What goes wrong behind a whole answer does not concern it: Node has closed the connection to the server.
    if (this.#message?.complete) return;
    const unread = error.code?.startsWith('HPE_');
    const when = this.#responseStarted ? 'in the middle of its answer' : 'before it answered';
    const message = unread
      ? `answer is no HTTP: ${error.message}`
      : `server closed the connection ${when}: ${error.message}`;
    this.#fail(new VaneError(unread ? 'UPSTREAM_PROTOCOL' : 'UPSTREAM_CLOSED', message, { cause: error }));
  }

  #fail(error: VaneError): void {
    if (this.#done) return;
    // The client must not take what it has for the whole answer.
    if (this.#responseStarted) this.#site.side.cut();
    this.#finish(error);
  }

  #finish(error: VaneError | undefined): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.stop();
    this.#attempt.cancel = undefined;
    this.#upload.end();
    this.#download?.end();
    const outcome = this.#result(error);
    if (error) {
      this.#connecting?.abort(error);
      this.#request?.destroy();
      this.#line?.destroy();
    }
    this.#outcome.resolve(outcome);
  }

  #result(error: VaneError | undefined): AttemptOutcome {
    const bytesToServer = this.#line?.bytesWritten ?? 0;
    return {
      error,
      phase: this.#phase,
      status: this.#status,
      responseStarted: this.#responseStarted,
      nothingSent: bytesToServer === 0,
      replayable: this.#replayable,
      reused: this.#reused,
      connectMs: this.#connectMs,
      headersMs: this.#headersMs,
      bytesToServer,
      bytesFromServer: this.#line?.bytesRead ?? 0,
    };
  }

  #elapsed(): number {
    return this.#site.clock.now() - this.#startedAt;
  }
}
