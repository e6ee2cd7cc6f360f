import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../../../core/clock.ts';
import { messageOf, VaneError } from '../../../core/errors.ts';
import type { Member } from '../../plane/crowd.ts';
import { isBodyless, lengthHeaders } from '../compat/local-answer.ts';
import type { BodyFraming } from '../compat/request-head.ts';
import { ServerAttempt } from '../direct/attempt.ts';
import type { AnswerHead, AnswerSide, ForwardedRequest } from '../direct/forwarded-request.ts';
import { LazyTimer } from '../direct/lazy-timer.ts';
import { isSendable } from '../direct/render.ts';
import { RequestBody } from '../direct/request-body.ts';
import type {
  Attempt,
  AttemptOutcome,
  ClientAddress,
  Exchange,
  LocalResponse,
  RequestHead,
} from '../lane.ts';
import { SideBySide } from '../side-by-side.ts';
import type { H2Request } from './request-head.ts';
import { isWhole, StreamWriter } from './stream-writer.ts';

/** What a stream has of its connection. */
export interface StreamSite {
  readonly client: ClientAddress;
  readonly clock: Clock;
  /** The client's silence allowed, ms, as it holds now; 0: no limit. */
  readonly clientTimeout: number;
  /** The head of an answer is about to go out. */
  answering(): void;
  /** The client has broken a stream off. */
  wasReset(): void;
}

/** The request that is one stream of a connection, and its answer. The stream is all that it has of the client. */
export class StreamExchange implements Exchange, ForwardedRequest, AnswerSide, Member {
  place = -1;
  readonly head: RequestHead;
  readonly client: ClientAddress;
  readonly startedAt: number;
  readonly headAt: number;
  readonly framing: BodyFraming;
  readonly body: RequestBody | undefined;
  readonly out: StreamWriter;
  readonly timer: LazyTimer;
  readonly clock: Clock;
  /** Protocols cannot be switched on a stream. */
  readonly handOver = undefined;
  aborted: VaneError | undefined;
  onAborted: ((error: VaneError) => void) | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #site: StreamSite;
  readonly #headOctets: number;
  /** The client waits for a 100 before it sends its body. */
  #expects: boolean;
  #bodyOctets = 0;
  /** The body is wanted by somebody. */
  #wanted = false;
  readonly #attempts = new SideBySide<ServerAttempt>();
  #answered = false;
  #gone = false;
  #over = false;

  constructor(stream: ServerHttp2Stream, request: H2Request, site: StreamSite) {
    const { head, framing, expects, octets } = request;
    const now = site.clock.now();
    this.#stream = stream;
    this.#site = site;
    this.head = head;
    this.framing = framing;
    this.client = site.client;
    this.clock = site.clock;
    this.startedAt = now;
    this.headAt = now;
    this.#expects = expects;
    this.#headOctets = octets;
    this.timer = new LazyTimer(site.clock, () => this.#late());
    this.out = new StreamWriter(stream, site.clock, () => this.#attempts.first?.clientDrained());
    stream.once('aborted', () => this.#left());
    if (head.bodyless) {
      this.body = undefined;
      // Node gives up a stream whose end was read before its answer is out, and makes an error for what was written.
      if (stream.endAfterHeaders) stream.pause();
      // Nothing comes, but its end is to be noticed.
      else stream.resume();
    } else {
      // nghttp2 holds it to the length that was told.
      this.body = new RequestBody('close');
      // Before the listener, which would have it read at once.
      stream.pause();
      stream.on('data', (bytes: Buffer) => this.#read(bytes));
      stream.once('end', () => this.#ended());
    }
  }

  get side(): AnswerSide {
    return this;
  }

  get clientTimeout(): number {
    return this.#site.clientTimeout;
  }

  get complete(): boolean {
    return this.body?.complete ?? true;
  }

  get bytesIn(): number {
    return this.#headOctets + this.#bodyOctets;
  }

  get bytesOut(): number {
    return this.out.octets;
  }

  /** What came of the request, whether it was taken, waits or was dropped. */
  get received(): number {
    return this.#headOctets + this.#bodyOctets + this.#stream.readableLength;
  }

  /** Its client may still be sending though the stream is closed. */
  get shed(): boolean {
    return this.out.isCut || this.out.isStopped;
  }

  respond(response: LocalResponse): void {
    if (this.#over || this.#answered || !this.out.open) return;
    this.#answered = true;
    const { status } = response;
    const headers = [...response.headers, ...lengthHeaders(response)];
    if (!isSendable(headers)) {
      this.destroy(new VaneError('INTERNAL', 'answer cannot be sent: bad octet in a header field'));
      return;
    }
    try {
      this.begin({ status, headers });
    } catch (thrown) {
      this.destroy(new VaneError('INTERNAL', `answer cannot be sent: ${messageOf(thrown)}`));
      return;
    }
    const silent = this.head.method === 'HEAD' || isBodyless(status);
    const body = Buffer.from(silent ? '' : response.body);
    // A client that does not take our own answer is not waited for longer than any other.
    this.timer.set(this.clientTimeout, this.clock.now());
    this.out.onFlushed(() => this.#end());
    this.out.write(body, 0, body.length, true);
  }

  forward(attempt: Attempt): void {
    const made = new ServerAttempt(attempt, this, this.#attempts.first !== undefined);
    this.#attempts.add(made);
    made.run(this.aborted);
  }

  destroy(error: VaneError): void {
    if (this.#over) return;
    this.#attempts.cancel(error);
    this.out.cut();
    this.#end();
  }

  abort(error: VaneError): void {
    if (this.#over || this.aborted) return;
    this.aborted = error;
    this.#attempts.cancel(error);
    this.onAborted?.(error);
  }

  flow(): void {
    if (!this.body || this.body.complete) return;
    if (!this.#wanted || this.body.full) this.#stream.pause();
    else this.#stream.resume();
  }

  askForBody(): void {
    this.#wanted = true;
    if (!this.#expects) return;
    this.#expects = false;
    this.out.continue();
  }

  inform(status: number, headers: readonly string[]): void {
    if (!this.#attempts.isDivided) this.out.inform(status, headers);
  }

  begin({ status, headers }: Pick<AnswerHead, 'status' | 'headers'>): void {
    this.out.begin(status, headers);
    this.#site.answering();
  }

  attempted(ended: ServerAttempt, attempt: Attempt, outcome: AttemptOutcome): void {
    this.body?.stop();
    this.#wanted = false;
    this.flow();
    this.#attempts.delete(ended);
    attempt.ended(outcome);
    if (!outcome.error || outcome.responseStarted) this.#end();
  }

  /** The stream is closed. */
  closed(): void {
    this.out.closed();
    if (isWhole(this.#stream)) return;
    this.#left();
    // Whatever is still to be answered has nobody to go to.
    this.destroy(this.#leaving());
  }

  #read(bytes: Buffer): void {
    this.#bodyOctets += bytes.length;
    if (this.#over) return;
    this.body?.push(bytes, 0);
    this.body?.keep();
    this.flow();
  }

  #ended(): void {
    // A stream that was broken off ends too.
    if (!this.aborted) this.body?.end();
  }

  /** The client has broken the stream off: told once or twice. */
  #left(): void {
    if (this.#gone || this.out.isCut) return;
    this.#gone = true;
    if (!this.#over) this.#site.wasReset();
    this.abort(this.#leaving());
  }

  #leaving(): VaneError {
    const { rstCode } = this.#stream;
    const short = typeof this.framing === 'number' && this.#bodyOctets !== this.framing;
    if (rstCode === constants.NGHTTP2_PROTOCOL_ERROR && short) {
      return new VaneError('REQUEST_INVALID', 'body is not as long as Content-Length says');
    }
    return new VaneError('CLIENT_ABORTED', `client broke off the stream (code ${rstCode ?? 0})`);
  }

  #late(): void {
    const { first } = this.#attempts;
    if (first) first.stalled();
    else this.destroy(new VaneError('CLIENT_TIMEOUT', 'client did not take the answer'));
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.timer.stop();
  }
}
