import { sleep } from '../../core/clock.ts';
import { asVaneError, type ErrorCode, messageOf, VaneError } from '../../core/errors.ts';
import type { AttemptOutcome, AttemptPhase, Exchange, LocalResponse } from '../lanes/lane.ts';
import type { Lease, Waiting } from '../plane/lease.ts';
import type { LiveBackend } from '../plane/live-backend.ts';
import { sameServerWait } from '../plane/same-server-wait.ts';
import { account } from './account.ts';
import { failureAnswer } from './answers.ts';
import { hashKey } from './hash-key.ts';
import { Hedge } from './hedge.ts';
import { type HttpSite, newHttpRecord } from './http-record.ts';
import { type Attempter, LeasedAttempt, responseTime, type Work } from './leased-attempt.ts';
import { outgoing } from './outgoing.ts';
import { isStale, isUnwanted, mayHedge, mayRepeat } from './retry.ts';
import { type Phase, termination } from './termination.ts';

const PHASES: Record<AttemptPhase, Phase> = {
  connect: 'connect',
  request: 'upload',
  headers: 'headers',
  data: 'data',
};

/** What ends a request from its client's side. */
const CLIENT_FAULTS: ReadonlySet<ErrorCode> = new Set(['CLIENT_ABORTED', 'CLIENT_TIMEOUT']);

const NONE: ReadonlySet<string> = new Set();

/** An attempt of which nothing has happened. */
const UNTRIED: AttemptOutcome = {
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

/**
 * The one life of an HTTP request, whatever lane its bytes come by: rules, choice of a server, attempts until one
 * succeeds or none may follow, the answer to the client, counters, log. It throws nothing and always ends the exchange.
 *
 * Promises are made only where there is something to wait for: most requests get a server at once.
 */
export class HttpLife implements Attempter {
  readonly site: HttpSite;
  readonly #exchange: Exchange;
  readonly #onOver: () => void;
  readonly #record = newHttpRecord();
  /** Servers that have failed it. */
  #tried: ReadonlySet<string> = NONE;
  /** The server that the next attempt has to go to. */
  #stay: string | undefined;
  /** Clock ms of the first attempt: connect times of all attempts add up. */
  #firstAttemptAt: number | undefined;
  /** What the last attempt told its server: nobody counts that twice. */
  #told: VaneError | undefined;
  /** The next attempt has been taken out of the budget for retries. */
  #paid = false;
  /** Undefined: it is at one server at a time. */
  #hedge: Hedge | undefined;
  #over = false;

  /** @param onOver called once, when all is accounted for */
  constructor(site: HttpSite, exchange: Exchange, onOver: () => void) {
    this.site = site;
    this.#exchange = exchange;
    this.#onOver = onOver;
  }

  begin(): void {
    const { frontend, context } = this.site;
    const now = this.#exchange.headAt;
    frontend.tally.reqTot++;
    frontend.tally.requests.hit(now);
    try {
      const work = this.#prepare(now);
      if (work) this.#acquire(work, now);
      else this.#end(context.clock.now());
    } catch (thrown) {
      this.#giveUp(thrown);
    }
  }

  attempted(attempt: LeasedAttempt, outcome: AttemptOutcome): void {
    if (this.#over) return;
    try {
      // Over a second connection if the first one had gone stale while idle.
      if (!attempt.fresh && this.#isStale(attempt, outcome)) {
        const again = new LeasedAttempt(this, attempt.work, attempt.lease, attempt.startedAt, true);
        this.#hedge?.replace(attempt, again);
        this.#forward(again);
      } else this.#settle(attempt, outcome);
    } catch (thrown) {
      this.#giveUp(thrown);
    }
  }

  answered(attempt: LeasedAttempt, status: number, replayable: boolean): boolean {
    if (replayable && this.#declines(attempt, status)) return true;
    this.#hedge?.answered(attempt);
    return false;
  }

  #declines({ work: { backend } }: LeasedAttempt, status: number): boolean {
    const { retryOn, retries } = backend.config;
    if (!retryOn || this.#exchange.aborted || this.#over) return false;
    if (!isUnwanted(this.#exchange.head, status, retryOn)) return false;
    if (this.#hedge?.isDivided) return true;
    if (this.#record.retries >= retries) return false;
    // An answer that nobody would better is not thrown away.
    this.#paid = backend.budget.take(this.site.context.clock.now());
    return this.#paid;
  }

  /** What is to be served, and by whom; undefined: a rule has answered. */
  #prepare(now: number): Work | undefined {
    const { frontend, context, rules, route } = this.site;
    const { head, client } = this.#exchange;
    const prepared = outgoing(head, client, frontend.config.options.forwardfor, rules);
    if (prepared.kind === 'answer') {
      this.#intercept(prepared.response, prepared.denied);
      return undefined;
    }
    const name = route({ src: client.address, head: prepared.head });
    const backend = name === undefined ? undefined : context.backend(name);
    this.#record.phase = 'connect';
    if (!backend) throw new VaneError('NO_SERVER', `no backend is meant for ${head.method} ${head.path}`);
    this.#record.backend = backend;
    backend.tally.sessions.begin(now);
    backend.budget.request(now);
    const stick = backend.stickiness?.begin({
      client: client.address,
      head: prepared.head,
      headers: prepared.headers,
    });
    this.#record.stick = stick;
    return { backend, outgoing: prepared, stick };
  }

  /** Makes the next attempt as soon as there is a server for it. Throws what keeps it from any. */
  #acquire(work: Work, now: number): void {
    const record = this.#record;
    // What an earlier attempt had reached does not hold for this one.
    record.phase = 'connect';
    record.connectMs = undefined;
    record.responseMs = undefined;
    const want = { tried: this.#tried, stay: this.#stay, bound: work.stick?.bound, key: this.#key(work) };
    const got = work.backend.acquire(want, now);
    if ('leave' in got) void this.#wait(work, got, now);
    else this.#attempt(work, got, now);
  }

  #key({ backend }: Work): number | undefined {
    const { client, head } = this.#exchange;
    return hashKey(backend.config.balance, client.address, head);
  }

  async #wait(work: Work, { lease, leave }: Waiting, since: number): Promise<void> {
    const exchange = this.#exchange;
    const record = this.#record;
    const { clock } = this.site.context;
    const before = record.queuedMs ?? 0;
    record.phase = 'queue';
    record.queuedBehind = work.backend.queued - 1;
    exchange.onAborted = leave;
    if (exchange.aborted) leave(exchange.aborted);
    try {
      const got = await lease.finally(() => {
        exchange.onAborted = undefined;
        record.queuedMs = before + clock.now() - since;
      });
      record.phase = 'connect';
      this.#attempt(work, got, clock.now());
    } catch (thrown) {
      this.#giveUp(thrown);
    }
  }

  #attempt(work: Work, lease: Lease, now: number): void {
    this.#record.queuedMs ??= 0;
    this.#record.lease = lease;
    this.#firstAttemptAt ??= now;
    const attempt = new LeasedAttempt(this, work, lease, now, false);
    const { hedges } = work.backend;
    if (hedges.on && mayHedge(this.#exchange.head) && work.stick?.bound === undefined) {
      this.#hedge ??= new Hedge(hedges, this.site.context.clock, (first) => this.#divide(first));
    }
    this.#hedge?.begin(attempt);
    this.#forward(attempt);
  }

  /** Makes a second attempt beside the first, if another server is free for it and the budget allows it. */
  #divide({ work, lease }: LeasedAttempt): void {
    const tried = new Set([...this.#tried, lease.server.id]);
    const now = this.site.context.clock.now();
    const besides = work.backend.acquireBeside(tried, now);
    if (!besides) return;
    const second = new LeasedAttempt(this, work, besides, now, false);
    this.#hedge?.divide(second);
    this.#forward(second);
  }

  #forward(attempt: LeasedAttempt): void {
    // The server may have gone between the choice of it and now.
    if (attempt.lease.cancelled) this.#settle(attempt, { ...UNTRIED, error: attempt.lease.cancelled });
    else {
      try {
        this.#exchange.forward(attempt);
      } catch (thrown) {
        // No lane may do this; if one does, it costs nobody his place on the server.
        this.#settle(attempt, { ...UNTRIED, error: asVaneError(thrown) });
      }
    }
  }

  #isStale({ work, lease }: LeasedAttempt, outcome: AttemptOutcome): boolean {
    return isStale(work.outgoing.head, outcome) && !lease.cancelled && !this.#exchange.aborted;
  }

  /** Gives the server back; ends with this outcome, or has another attempt follow. */
  #settle(attempt: LeasedAttempt, outcome: AttemptOutcome): void {
    const { work, lease, startedAt } = attempt;
    const { error } = outcome;
    const now = this.site.context.clock.now();
    if (error) this.#tried = new Set([...this.#tried, lease.server.id]);
    if (this.#hedge?.ended(attempt)) {
      attempt.giveBack(outcome, now, 'hedge');
      return;
    }
    this.#record.lease = lease;
    this.#note(outcome, startedAt);
    const next = this.#next(work.backend, outcome);
    this.#told = error;
    attempt.giveBack(outcome, now, next);
    if (next) this.#repeat(next, work, lease, outcome);
    else {
      if (error) this.#fail(error, outcome.responseStarted);
      this.#end(now);
    }
  }

  #repeat(next: 'retry' | 'redispatch', work: Work, lease: Lease, { error, phase }: AttemptOutcome): void {
    const { redispatch, timeout } = work.backend.config;
    this.#record.retries++;
    this.#record.redispatched ||= next === 'redispatch';
    this.#stay = redispatch ? undefined : lease.server.id;
    // A server that has just refused a connection gets a moment; everything else is tried again at once.
    if (next === 'retry' && phase === 'connect' && error?.source === 'upstream') {
      void this.#pause(work, sameServerWait(timeout.connect));
    } else this.#acquire(work, this.site.context.clock.now());
  }

  async #pause(work: Work, ms: number): Promise<void> {
    const exchange = this.#exchange;
    const { clock } = this.site.context;
    const abort = new AbortController();
    exchange.onAborted = (error) => abort.abort(error);
    try {
      await sleep(clock, ms, abort.signal).finally(() => {
        exchange.onAborted = undefined;
      });
      this.#acquire(work, clock.now());
    } catch (thrown) {
      this.#giveUp(thrown);
    }
  }

  #note(outcome: AttemptOutcome, startedAt: number): void {
    const record = this.#record;
    const { connectMs, phase, responseStarted } = outcome;
    // An answer of which nothing could be passed on has not got past its head.
    record.phase = PHASES[phase === 'data' && !responseStarted ? 'headers' : phase];
    record.status = outcome.status;
    const earlier = startedAt - (this.#firstAttemptAt ?? startedAt);
    record.connectMs = connectMs === undefined ? undefined : earlier + connectMs;
    record.responseMs = responseTime(outcome);
  }

  /** Whether and where another attempt follows. */
  #next(backend: LiveBackend, outcome: AttemptOutcome): 'retry' | 'redispatch' | undefined {
    const { retries, redispatch, retryOn } = backend.config;
    if (this.#record.retries >= retries || this.#exchange.aborted) return undefined;
    if (!mayRepeat(this.#exchange.head, outcome, retryOn)) return undefined;
    // What we ended ourselves is nobody's storm.
    const paid = this.#paid || outcome.error?.source !== 'upstream';
    this.#paid = false;
    if (!paid && !backend.budget.take(this.site.context.clock.now())) return undefined;
    return redispatch && backend.offersOther(this.#tried) ? 'redispatch' : 'retry';
  }

  /** No attempt follows. */
  #giveUp(thrown: unknown): void {
    if (this.#over) return;
    this.#fail(asVaneError(thrown), false);
    this.#end(this.site.context.clock.now());
  }

  #fail(error: VaneError, responseStarted: boolean): void {
    const record = this.#record;
    record.error = error;
    record.termination = termination(error, record.phase);
    if (error.code === 'INTERNAL') {
      const { frontend, context } = this.site;
      context.log.error({ frontend: frontend.name, error: error.stack }, 'request failed within');
    }
    // Attempts count what they met themselves; this one ended while there was none.
    if (CLIENT_FAULTS.has(error.code) && error !== this.#told && record.backend)
      record.backend.tally.cliAbrt++;
    const answer = responseStarted ? undefined : failureAnswer(error, record.backend?.config.timeout.queue);
    if (!answer || this.#exchange.aborted?.code === 'CLIENT_ABORTED') {
      this.#exchange.destroy(error);
      return;
    }
    try {
      this.#respond(answer);
    } catch (thrown) {
      this.#exchange.destroy(asVaneError(thrown));
    }
  }

  #intercept(response: LocalResponse, denied: boolean): void {
    const { tally } = this.site.frontend;
    if (denied) tally.dreq++;
    else tally.intercepted++;
    this.#record.termination = denied ? 'PR' : 'LR';
    this.#respond(response);
  }

  #respond(response: LocalResponse): void {
    this.#exchange.respond({ ...response, close: response.close || this.#closing });
    this.#record.status = response.status;
  }

  get #closing(): boolean {
    return this.site.draining || this.site.context.draining;
  }

  #end(now: number): void {
    if (this.#over) return;
    this.#over = true;
    try {
      this.#record.hedge = this.#hedge?.result;
      account(this.site, this.#exchange, this.#record, now);
    } catch (thrown) {
      const { frontend, context } = this.site;
      const error = messageOf(thrown);
      context.log.error({ frontend: frontend.name, error }, 'request could not be accounted for');
    }
    this.#record.backend?.tally.sessions.end();
    this.#onOver();
  }
}
