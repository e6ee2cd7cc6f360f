import type { Socket } from 'node:net';
import { VaneError } from '../../../core/errors.ts';
import { http } from '../../../core/http.ts';
import { isBodyless, lengthHeaders } from '../compat/local-answer.ts';
import type { BodyFraming } from '../compat/request-head.ts';
import type {
  Attempt,
  AttemptOutcome,
  ClientAddress,
  Exchange,
  LocalResponse,
  RequestHead,
} from '../lane.ts';
import { SideBySide } from '../side-by-side.ts';
import { ServerAttempt } from './attempt.ts';
import type { ClientSide } from './client-side.ts';
import type { AnswerHead, ForwardedRequest } from './forwarded-request.ts';
import type { IncomingRequest } from './incoming-request.ts';
import { isSendable, renderAnswer, renderHead } from './render.ts';
import type { RequestBody } from './request-body.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** When a request came, and from whom. */
export interface Arrival {
  readonly client: ClientAddress;
  readonly startedAt: number;
  readonly headAt: number;
}

export class DirectExchange implements Exchange, ForwardedRequest {
  readonly head: RequestHead;
  readonly client: ClientAddress;
  readonly startedAt: number;
  readonly headAt: number;
  readonly side: ClientSide;
  readonly framing: BodyFraming;
  /** Undefined: none follows. */
  readonly body: RequestBody | undefined;
  aborted: VaneError | undefined;
  onAborted: ((error: VaneError) => void) | undefined;
  readonly #persistent: boolean;
  readonly #switches: boolean;
  /** The client waits for a 100 before it sends its body. */
  #expects: boolean;
  readonly #attempts = new SideBySide<ServerAttempt>();
  #answered = false;
  /** The connection goes on after the answer. */
  #keep = false;
  #over = false;
  /** Counted when it was over: the connection's next request counts anew. */
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(side: ClientSide, request: IncomingRequest, body: RequestBody | undefined, arrival: Arrival) {
    this.side = side;
    this.head = request.head;
    this.framing = request.framing;
    this.body = body;
    this.client = arrival.client;
    this.startedAt = arrival.startedAt;
    this.headAt = arrival.headAt;
    this.#persistent = request.persistent;
    this.#switches = request.switches;
    this.#expects = request.expects;
  }

  get bytesIn(): number {
    return this.#over
      ? this.#bytesIn
      : this.side.bytesIn + (this.#attempts.first?.tunnel?.bytesToServer ?? 0);
  }

  get bytesOut(): number {
    return this.#over
      ? this.#bytesOut
      : this.side.out.bytes + (this.#attempts.first?.tunnel?.bytesToClient ?? 0);
  }

  /** It has become a tunnel: a client that leaves has ended it, not broken it off. */
  get tunnelled(): boolean {
    return this.#attempts.first?.tunnel !== undefined;
  }

  /** The client has sent all of it. */
  get complete(): boolean {
    return this.body?.complete ?? true;
  }

  respond(response: LocalResponse): void {
    const { socket, out, timer, clock, clientTimeout } = this.side;
    if (this.#over || this.#answered || socket.destroyed) return;
    this.#answered = true;
    const { status } = response;
    const headers = [...response.headers, ...lengthHeaders(response)];
    if (!isSendable(headers)) {
      this.destroy(new VaneError('INTERNAL', 'answer cannot be sent: bad octet in a header field'));
      return;
    }
    // A body that nobody will read ends the connection with this answer.
    const close = response.close || !this.complete;
    this.begin({ status, reason: http.STATUS_CODES[status] ?? 'unknown', headers, framed: true }, close);
    const silent = this.head.method === 'HEAD' || isBodyless(status);
    const body = Buffer.from(silent ? '' : response.body);
    out.write(body, 0, body.length, true);
    if (out.flushed) {
      this.#end();
      return;
    }
    // A client that does not take our own answer is not waited for longer than any other.
    timer.set(clientTimeout, clock.now());
    out.onFlushed(() => this.#end());
  }

  forward(attempt: Attempt): void {
    const made = new ServerAttempt(attempt, this, this.#attempts.first !== undefined);
    this.#attempts.add(made);
    made.run(this.aborted);
  }

  destroy(error: VaneError): void {
    if (this.#over) return;
    this.#attempts.cancel(error);
    this.side.out.cut();
    this.#end();
  }

  /** The client is gone or out of time, or the lane is being taken down: whatever is under way ends. */
  abort(error: VaneError): void {
    if (this.#over || this.aborted) return;
    this.aborted = error;
    this.#attempts.cancel(error);
    this.onAborted?.(error);
  }

  /** The connection's timer is due. */
  late(): void {
    const { first } = this.#attempts;
    if (first) first.stalled();
    else this.destroy(new VaneError('CLIENT_TIMEOUT', 'client did not take the answer'));
  }

  /** The client takes more again. */
  drained(): void {
    this.#attempts.first?.clientDrained();
  }

  askForBody(): void {
    if (!this.#expects) return;
    this.#expects = false;
    this.side.out.writeText(CONTINUE);
  }

  inform(status: number, headers: readonly string[]): void {
    const { httpVersion, upgrade } = this.head;
    const { out } = this.side;
    if (httpVersion !== '1.1' || upgrade || out.full || this.#attempts.isDivided) return;
    out.writeText(renderHead(`HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? 'unknown'}`, headers));
  }

  begin({ status, reason, headers, framed }: AnswerHead, close: boolean): void {
    const chunks = this.head.httpVersion === '1.1';
    // A client that still waits for a 100 may send its body or another request: nobody could tell.
    const last = close || this.#expects || this.side.isLast;
    const keep = !last && this.#persistent && (framed || chunks);
    // Persistence is said only where it is not understood (RFC 9112, section 9.3).
    const connection = keep ? (chunks ? undefined : 'keep-alive') : 'close';
    const chunked = !framed && chunks;
    const date = this.side.dates.now;
    this.#keep = keep;
    this.side.out.begin(renderAnswer(status, reason, headers, { connection, chunked, date }), chunked);
  }

  handOver(head: string): { readonly socket: Socket; readonly first?: Buffer } {
    const { socket, out } = this.side;
    const first = this.side.handOver();
    out.writeText(head);
    return { socket, ...(first && { first }) };
  }

  attempted(ended: ServerAttempt, attempt: Attempt, outcome: AttemptOutcome): void {
    this.body?.stop();
    // A tunnel stays what it was; an attempt that failed may be followed by another.
    if (!this.tunnelled) this.#attempts.delete(ended);
    attempt.ended(outcome);
    // What comes behind this request is taken up only now.
    if (!outcome.error || outcome.responseStarted) this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#bytesIn = this.bytesIn;
    this.#bytesOut = this.bytesOut;
    this.#over = true;
    this.side.over(this.#keep && this.complete, this.complete && !this.#switches);
  }
}
