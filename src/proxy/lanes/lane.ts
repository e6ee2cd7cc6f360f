import type { Socket } from 'node:net';
import type { ServerSnapshot } from '../../balance/server.ts';
import type { VaneError } from '../../core/errors.ts';

/**
 * A lane moves the bytes of one request and its answer; it decides nothing. Which server, whether to try
 * again, what the headers become, what is logged and counted is the request life's (`proxy/request/`),
 * written once for all lanes. Two lanes given the same bytes must report the same.
 */
export interface Exchange {
  readonly head: RequestHead;
  readonly client: ClientAddress;
  /** Clock ms of the request's first byte, and of the end of its head. */
  readonly startedAt: number;
  readonly headAt: number;
  /**
   * Why nothing more comes of it: the client is gone or out of time (CLIENT_ABORTED, CLIENT_TIMEOUT), its body is
   * no HTTP (REQUEST_INVALID), or what the lane was taken down with. Set before `onAborted` is called.
   */
  readonly aborted: VaneError | undefined;
  /** Called at most once, with {@link aborted}, while the request is not finished. */
  onAborted: ((error: VaneError) => void) | undefined;
  /** Bytes read from and written to the client for this request so far, heads included. */
  readonly bytesIn: number;
  readonly bytesOut: number;

  /** Answers the client without any server. Once, and only before a response byte went out. */
  respond(response: LocalResponse): void;
  /**
   * Sends the request to one server and, once that answers, its response to the client; then tells the attempt that
   * it has ended. After an outcome with `responseStarted: false` and `replayable: true` it may be called again.
   *
   * For a request without a body and without an upgrade it may be called once more while an attempt is under way whose
   * server has not answered. The two run side by side, and clients hear of interim answers of neither; whoever makes them
   * cancels the one before the final answer of the other is passed on, at {@link Attempt.answered}.
   */
  forward(attempt: Attempt): void;
  /** Cuts the connection to the client, for when an answer has begun and cannot be finished. */
  destroy(error: VaneError): void;
}

/** A parsed request head. Header lists are flat, name then value, in the order and case they came. */
export interface RequestHead {
  readonly method: string;
  /** The request-target as it came. */
  readonly target: string;
  /** The target's path, from `/` up to `?`. */
  readonly path: string;
  readonly httpVersion: string;
  readonly headers: readonly string[];
  readonly host: string;
  /** No body follows (no content-length above 0, no transfer-encoding). */
  readonly bodyless: boolean;
  /** An upgrade (WebSocket) is asked for. */
  readonly upgrade: boolean;
  /** The client's connection is encrypted. */
  readonly secure: boolean;
}

export interface ClientAddress {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export interface LocalResponse {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  /** Close the client's connection after it. */
  readonly close: boolean;
}

/** The connections of one server. Whoever took one either gives it back or destroys it. */
export interface ServerConnections {
  /** An idle one, known to have been good at most `within` ms ago. */
  takeIdle(within?: number): Socket | undefined;
  /**
   * A new one. Rejects with CONNECT_REFUSED, CONNECT_TIMEOUT or CONNECT_FAILED, or the signal's reason.
   * @param client for whom, where the server is to be told that (PROXY protocol); undefined: for nobody
   */
  connect(timeout: number, signal: AbortSignal, client?: ClientAddress): Promise<Socket>;
  /** Keeps one whose last answer ended cleanly, with nothing left to read or write on it. */
  giveBack(socket: Socket): void;
}

/** One try at one server. */
export interface Attempt {
  readonly server: ServerSnapshot;
  readonly connections: ServerConnections;
  /** Go over a new connection: an idle one has just failed this request. */
  readonly fresh: boolean;
  /** The request-target to send. */
  readonly target: string;
  /** Every header to send except those of the lane's own connection and framing. */
  readonly headers: readonly string[];
  /** No rule has put anything into target and headers: all has been parsed, or is Vane's own. */
  readonly vetted: boolean;
  /** Clock ms; of the first try where this one repeats it over a new connection. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly timeout: { readonly connect: number; readonly server: number; readonly tunnel: number };
  /** Aborts the attempt with the given reason (drain deadline passed, server removed). Set by the lane. */
  cancel: ((reason: VaneError) => void) | undefined;
  /** Tells the client to close after this answer (the process or the frontend is draining). Read when it begins. */
  readonly closeAfter: boolean;
  /**
   * Makes of the fields of the final answer those that the client gets; asked once, when it is passed on. Undefined:
   * they stay as they are. Flat: name, then value.
   */
  readonly edit?: ((headers: readonly string[]) => readonly string[]) | undefined;
  /** Bytes of the request's body that are kept while they are sent, so that another attempt can follow. */
  readonly keepBody: number;
  /**
   * Told of the status of the final answer before anything of that goes to the client. True: it is not wanted, and
   * the attempt has to end with UPSTREAM_STATUS.
   * Another attempt that is under way beside it is to be cancelled in the course of this.
   * @param replayable see {@link AttemptOutcome.replayable}
   */
  answered(status: number, replayable: boolean): boolean;
  /** Told by the lane when it is over: once, and perhaps before `forward` returns. Never throws. */
  ended(outcome: AttemptOutcome): void;
}

/** HAProxy's phases of a session, in order (configuration manual, section 8.5). */
export type AttemptPhase = 'connect' | 'request' | 'headers' | 'data';

export interface AttemptOutcome {
  /** Undefined: the answer reached the client whole. */
  readonly error: VaneError | undefined;
  /** How far it came. */
  readonly phase: AttemptPhase;
  /** The server's status; undefined: no final response head came. */
  readonly status: number | undefined;
  /** A byte of this answer went to the client: nothing else can be answered any more. */
  readonly responseStarted: boolean;
  /** No byte of the request was handed to a server's connection by this attempt. */
  readonly nothingSent: boolean;
  /** The request can be sent again whole: no body, or none of it was consumed. */
  readonly replayable: boolean;
  /** It went over a connection that had been used before. */
  readonly reused: boolean;
  /** Milliseconds from the start of the attempt; undefined: that phase was not reached. */
  readonly connectMs: number | undefined;
  readonly headersMs: number | undefined;
  readonly bytesToServer: number;
  readonly bytesFromServer: number;
}
