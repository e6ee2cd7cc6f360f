import { type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import type {
  Attempt,
  AttemptOutcome,
  Exchange,
  LocalResponse,
  RequestHead,
} from '../../../../src/proxy/lanes/lane.ts';
import { CLIENT, requestHead } from '../fixtures.ts';

/** What comes of one attempt: at once, or whenever the promise says so. */
export type Play = (attempt: Attempt) => AttemptOutcome | Promise<AttemptOutcome>;

/** A lane in the test's hand: it answers attempts as the script says, and notes what the request life does. */
export class ScriptedExchange implements Exchange {
  readonly head: RequestHead;
  readonly client = CLIENT;
  readonly startedAt: number;
  readonly headAt: number;
  aborted: VaneError | undefined;
  onAborted: ((error: VaneError) => void) | undefined;
  bytesIn = 100;
  bytesOut = 200;
  readonly attempts: Attempt[] = [];
  readonly answers: LocalResponse[] = [];
  /** How it ended; one entry, if all is well. */
  readonly ends: ('respond' | 'destroy' | 'whole answer')[] = [];
  /** Clock ms of each attempt. */
  readonly times: number[] = [];
  /** Makes `respond` fail so many times. */
  unanswerable = 0;
  readonly #script: Play[];
  readonly #now: () => number;

  constructor(now: () => number, script: readonly Play[], head = requestHead(), readFor = 3) {
    this.head = head;
    this.#now = now;
    this.headAt = now();
    this.startedAt = this.headAt - readFor;
    this.#script = [...script];
  }

  get servers(): readonly string[] {
    return this.attempts.map(({ server }) => server.name);
  }

  respond(response: LocalResponse): void {
    if (this.unanswerable-- > 0) throw new TypeError('Invalid character in header content');
    this.answers.push(response);
    this.ends.push('respond');
  }

  forward(attempt: Attempt): void {
    this.attempts.push(attempt);
    this.times.push(this.#now());
    const play = this.#script.shift() ?? succeeds();
    const outcome = play(attempt);
    if (outcome instanceof Promise) void outcome.then((late) => this.#ended(attempt, late));
    else this.#ended(attempt, outcome);
  }

  #ended(attempt: Attempt, outcome: AttemptOutcome): void {
    attempt.cancel = undefined;
    if (!outcome.error) this.ends.push('whole answer');
    attempt.ended(outcome);
  }

  destroy(): void {
    this.ends.push('destroy');
  }

  /** The client goes away, or is out of time. */
  abort(code: ErrorCode = 'CLIENT_ABORTED'): void {
    const error = new VaneError(code, 'client');
    this.aborted = error;
    for (const attempt of this.attempts.toReversed()) attempt.cancel?.(error);
    this.onAborted?.(error);
  }
}

const NOTHING: AttemptOutcome = {
  error: undefined,
  phase: 'connect',
  status: undefined,
  responseStarted: false,
  nothingSent: true,
  replayable: true,
  reused: false,
  connectMs: undefined,
  headersMs: undefined,
  bytesToServer: 0,
  bytesFromServer: 0,
};

const SENT: Partial<AttemptOutcome> = { nothingSent: false, connectMs: 1, bytesToServer: 50 };

function whole(changes: Partial<AttemptOutcome> = {}): AttemptOutcome {
  const answered = { status: 200, responseStarted: true, headersMs: 5, bytesFromServer: 70 };
  return { ...NOTHING, ...SENT, ...answered, phase: 'data', ...changes };
}

/** The server has answered, and the client has it all. */
export function succeeds(changes: Partial<AttemptOutcome> = {}): Play {
  return (attempt) => {
    attempt.answered(changes.status ?? 200, changes.replayable ?? true);
    return whole(changes);
  };
}

/** The server has answered, and the client has it all if the answer is wanted. */
export function answers(status: number, replayable = true): Play {
  return (attempt) =>
    attempt.answered(status, replayable)
      ? fails('UPSTREAM_STATUS', { status, headersMs: 5, bytesFromServer: 70, phase: 'data' })(attempt)
      : whole({ status });
}

/** No connection. */
export function refuses(code: ErrorCode = 'CONNECT_REFUSED'): Play {
  return () => ({ ...NOTHING, error: new VaneError(code, 'no connection') });
}

/** The request was sent, and no answer came. */
export function fails(code: ErrorCode, changes: Partial<AttemptOutcome> = {}): Play {
  return () => ({ ...NOTHING, ...SENT, phase: 'headers', error: new VaneError(code, 'failed'), ...changes });
}

/** The answer broke off in the middle. */
export function breaksOff(code: ErrorCode = 'UPSTREAM_CLOSED'): Play {
  return fails(code, { phase: 'data', status: 200, responseStarted: true, headersMs: 5, bytesFromServer: 9 });
}

/** Goes on until it is cancelled, or finished by the test. */
export function holds(changes: Partial<AttemptOutcome> = {}): {
  readonly play: Play;
  readonly finish: (outcome?: Play) => void;
} {
  const { promise, resolve } = Promise.withResolvers<AttemptOutcome>();
  let held: Attempt | undefined;
  return {
    play: (attempt) => {
      held = attempt;
      attempt.cancel = (error) => resolve({ ...NOTHING, ...SENT, phase: 'headers', error, ...changes });
      return promise;
    },
    finish: (play = succeeds()) => {
      if (!held) throw new Error('not begun');
      resolve(play(held));
    },
  };
}
