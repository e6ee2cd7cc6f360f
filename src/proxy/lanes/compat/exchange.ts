import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../../core/clock.ts';
import { messageOf, VaneError } from '../../../core/errors.ts';
import { cut } from '../../tcp/cut.ts';
import type {
  Attempt,
  AttemptOutcome,
  ClientAddress,
  Exchange,
  LocalResponse,
  RequestHead,
} from '../lane.ts';
import { ServerAttempt } from './attempt.ts';
import { KeptBody } from './kept-body.ts';
import { isBodyless, lengthHeaders } from './local-answer.ts';
import type { Reply } from './reply.ts';
import type { BodyFraming } from './request-head.ts';

/** One request as the connection hands it over. */
export interface ExchangeInput {
  readonly head: RequestHead;
  readonly body: BodyFraming;
  readonly client: ClientAddress;
  readonly startedAt: number;
  readonly headAt: number;
  readonly incoming: IncomingMessage;
  readonly reply: Reply;
  readonly socket: Socket;
  /** What came behind the head of an upgrade. */
  readonly first: Buffer | undefined;
  readonly clock: Clock;
  /** The client's silence allowed, ms, as it holds now. */
  readonly clientTimeout: () => number;
  /** The socket's counters when the request before this one was over. */
  readonly readBefore: number;
  readonly writtenBefore: number;
  /** Called once, when nothing more comes of it. */
  readonly onOver: () => void;
}

export class CompatExchange implements Exchange {
  readonly head: RequestHead;
  readonly client: ClientAddress;
  readonly startedAt: number;
  readonly headAt: number;
  aborted: VaneError | undefined;
  onAborted: ((error: VaneError) => void) | undefined;
  readonly #input: ExchangeInput;
  readonly #kept = new KeptBody();
  #attempt: ServerAttempt | undefined;
  #answered = false;
  #cancelTimer: Cancel | undefined;
  /** Set when it is over: the connection's next request counts on. */
  #bytes: { readonly in: number; readonly out: number } | undefined;

  constructor(input: ExchangeInput) {
    this.#input = input;
    this.head = input.head;
    this.client = input.client;
    this.startedAt = input.startedAt;
    this.headAt = input.headAt;
  }

  get bytesIn(): number {
    return this.#bytes?.in ?? this.#input.socket.bytesRead - this.#input.readBefore;
  }

  get bytesOut(): number {
    return this.#bytes?.out ?? this.#input.socket.bytesWritten - this.#input.writtenBefore;
  }

  /** It has become a tunnel: a client that leaves has ended it, not broken it off. */
  get tunnelled(): boolean {
    return this.#attempt?.tunnelled ?? false;
  }

  respond(response: LocalResponse): void {
    const { socket, incoming, reply } = this.#input;
    if (this.#over || this.#answered || socket.destroyed) return;
    this.#answered = true;
    const { status, headers, body } = response;
    const head = { status, message: undefined, headers: [...headers, ...lengthHeaders(response)] };
    try {
      // A body that nobody will read ends the connection with this answer. (Node says that a request without a body
      // is complete only after this.)
      const unread = !incoming.complete && !this.head.bodyless;
      reply.begin({ ...head, framed: true }, response.close || unread, () => this.#end());
    } catch (error) {
      this.destroy(new VaneError('INTERNAL', `answer cannot be sent: ${messageOf(error)}`));
      return;
    }
    if (this.head.method !== 'HEAD' && !isBodyless(status)) reply.write(Buffer.from(body));
    reply.end();
    this.#limitTaking();
  }

  forward(attempt: Attempt): void {
    const { incoming, reply, socket, first, clock, clientTimeout, body } = this.#input;
    const made = new ServerAttempt(attempt, {
      head: this.head,
      body,
      incoming,
      kept: this.#kept,
      reply,
      client: socket,
      first,
      clock,
      clientTimeout: clientTimeout(),
      onStalled: (error) => this.abort(error),
    });
    this.#attempt = made;
    void made.run(this.aborted).then((outcome) => this.#attempted(attempt, outcome));
  }

  destroy(error: VaneError): void {
    if (this.#over) return;
    this.#attempt?.cancel(error);
    cut(this.#input.socket);
    this.#end();
  }

  /** The client is gone or out of time, or the lane is being taken down: whatever is under way ends. */
  abort(error: VaneError): void {
    if (this.#over || this.aborted) return;
    this.aborted = error;
    this.#attempt?.cancel(error);
    this.onAborted?.(error);
  }

  #attempted(attempt: Attempt, outcome: AttemptOutcome): void {
    // A tunnel stays what it was; an attempt that failed may be followed by another.
    if (!this.tunnelled) this.#attempt = undefined;
    if (!outcome.error || outcome.responseStarted) this.#end();
    attempt.ended(outcome);
  }

  get #over(): boolean {
    return this.#bytes !== undefined;
  }

  /** A client that does not take our own answer is not waited for longer than any other. */
  #limitTaking(): void {
    const { clock, clientTimeout } = this.#input;
    const limit = clientTimeout();
    if (limit <= 0 || this.#over) return;
    const late = () => this.destroy(new VaneError('CLIENT_TIMEOUT', 'client did not take the answer'));
    this.#cancelTimer = clock.after(limit, late);
  }

  #end(): void {
    if (this.#over) return;
    this.#cancelTimer?.();
    this.#bytes = { in: this.bytesIn, out: this.bytesOut };
    this.#input.onOver();
  }
}
