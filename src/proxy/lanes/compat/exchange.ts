import type { Cancel, Clock } from '../../../core/clock.ts';
import { messageOf, VaneError } from '../../../core/errors.ts';
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
import { isBodyless, lengthHeaders } from './local-answer.ts';
import type { BodyFraming } from './request-head.ts';

/** One request as the connection hands it over. */
export interface ExchangeInput {
  readonly head: RequestHead;
  readonly body: BodyFraming;
  readonly client: ClientAddress;
  readonly startedAt: number;
  readonly headAt: number;
  readonly side: ClientSide;
  readonly clock: Clock;
  /** The client's silence allowed, ms, as it holds now. */
  readonly clientTimeout: () => number;
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
  readonly #attempts = new SideBySide<ServerAttempt>();
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
    return this.#bytes?.in ?? this.#input.side.bytesIn;
  }

  get bytesOut(): number {
    return this.#bytes?.out ?? this.#input.side.bytesOut;
  }

  /** It has become a tunnel: a client that leaves has ended it, not broken it off. */
  get tunnelled(): boolean {
    return this.#attempts.first?.tunnelled ?? false;
  }

  respond(response: LocalResponse): void {
    const { side } = this.#input;
    const { reply } = side;
    if (this.#over || this.#answered || side.gone) return;
    this.#answered = true;
    const { status, headers, body } = response;
    const head = { status, message: undefined, headers: [...headers, ...lengthHeaders(response)] };
    try {
      // A body that nobody will read ends the connection with this answer.
      const unread = side.unread && !this.head.bodyless;
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
    const { side, client, clock, clientTimeout, body } = this.#input;
    const made = new ServerAttempt(attempt, {
      head: this.head,
      body,
      client,
      side,
      clock,
      clientTimeout: clientTimeout(),
      isDivided: () => this.#attempts.isDivided,
      onStalled: (error) => this.abort(error),
    });
    this.#attempts.add(made);
    void made.run(this.aborted).then((outcome) => this.#attempted(made, attempt, outcome));
  }

  destroy(error: VaneError): void {
    if (this.#over) return;
    this.#attempts.cancel(error);
    this.#input.side.cut();
    this.#end();
  }

  /** The client is gone or out of time, or the lane is being taken down: whatever is under way ends. */
  abort(error: VaneError): void {
    if (this.#over || this.aborted) return;
    this.aborted = error;
    this.#attempts.cancel(error);
    this.onAborted?.(error);
  }

  #attempted(ended: ServerAttempt, attempt: Attempt, outcome: AttemptOutcome): void {
    // A tunnel stays what it was; an attempt that failed may be followed by another.
    if (!this.tunnelled) this.#attempts.delete(ended);
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
