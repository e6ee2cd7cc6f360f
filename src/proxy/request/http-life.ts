import { sleep } from '../../core/clock.ts';
import { asVaneError, type ErrorCode, messageOf, VaneError } from '../../core/errors.ts';
import type { Attempt, AttemptOutcome, AttemptPhase, Exchange, LocalResponse } from '../lanes/lane.ts';
import { countWork } from '../plane/count.ts';
import type { Lease } from '../plane/lease.ts';
import type { LiveBackend, Want } from '../plane/live-backend.ts';
import { sameServerWait } from '../plane/same-server-wait.ts';
import { failureAnswer } from './answers.ts';
import { httpEntry } from './http-entry.ts';
import { type HttpSite, newHttpRecord } from './http-record.ts';
import { type Outgoing, outgoing } from './outgoing.ts';
import { isStale, mayRepeat } from './retry.ts';
import { type Phase, termination } from './termination.ts';

const PHASES: Record<AttemptPhase, Phase> = {
  connect: 'connect',
  request: 'upload',
  headers: 'headers',
  data: 'data',
};

/** What ends a request from its client's side. */
const CLIENT_FAULTS: ReadonlySet<ErrorCode> = new Set(['CLIENT_ABORTED', 'CLIENT_TIMEOUT']);

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
 * succeeds or none may follow, the answer to the client, counters, log. It never rejects and always ends the exchange.
 */
export class HttpLife {
  readonly #site: HttpSite;
  readonly #exchange: Exchange;
  readonly #tried = new Set<string>();
  readonly #record = newHttpRecord();
  /** Clock ms of the first attempt: connect times of all attempts add up. */
  #firstAttemptAt: number | undefined;
  /** What the last attempt told its server: nobody counts that twice. */
  #told: VaneError | undefined;

  constructor(site: HttpSite, exchange: Exchange) {
    this.#site = site;
    this.#exchange = exchange;
  }

  async run(): Promise<void> {
    const { frontend, context } = this.#site;
    frontend.tally.reqTot++;
    frontend.tally.requests.hit(context.clock.now());
    try {
      await this.#serve();
    } catch (thrown) {
      this.#fail(asVaneError(thrown), false);
    }
    try {
      this.#finish();
    } catch (thrown) {
      const error = messageOf(thrown);
      context.log.error({ frontend: frontend.name, error }, 'request could not be accounted for');
    }
    this.#record.backend?.tally.sessions.end();
  }

  async #serve(): Promise<void> {
    const { frontend, context, rules, route } = this.#site;
    const { head, client } = this.#exchange;
    const { forwardfor } = frontend.config.options;
    const prepared = outgoing(head, client, forwardfor, rules);
    if (prepared.kind === 'answer') return this.#intercept(prepared.response, prepared.denied);
    const name = route({ src: client.address, head: prepared.head });
    const backend = name === undefined ? undefined : context.backend(name);
    this.#record.phase = 'connect';
    if (!backend) throw new VaneError('NO_SERVER', `no backend is meant for ${head.method} ${head.path}`);
    this.#record.backend = backend;
    backend.tally.sessions.begin(context.clock.now());
    await this.#attempts(backend, prepared);
  }

  /** Tries servers until one has answered or no further attempt may follow. Throws what keeps it from any. */
  async #attempts(backend: LiveBackend, request: Outgoing): Promise<void> {
    let stay: string | undefined;
    for (;;) {
      const lease = await this.#acquire(backend, { tried: this.#tried, stay });
      const { id } = lease.server;
      const startedAt = this.#site.context.clock.now();
      this.#firstAttemptAt ??= startedAt;
      const outcome = await this.#attempt(backend, lease, request);
      this.#tried.add(id);
      this.#note(outcome, startedAt);
      const next = this.#next(backend, outcome);
      this.#told = outcome.error;
      lease.done({
        ...outcome,
        reused: outcome.connectMs === undefined ? undefined : outcome.reused,
        queuedMs: lease.queuedMs,
        responseMs: responseTime(outcome),
        totalMs: this.#site.context.clock.now() - startedAt,
        bytesIn: outcome.bytesToServer,
        bytesOut: outcome.bytesFromServer,
        next,
      });
      if (!next) return this.#end(outcome);
      this.#record.retries++;
      this.#record.redispatched ||= next === 'redispatch';
      stay = backend.config.redispatch ? undefined : id;
      if (next === 'retry') await this.#pause(backend, outcome);
    }
  }

  /** One try at one server; over a second connection if the first one had gone stale while idle. */
  async #attempt(backend: LiveBackend, lease: Lease, request: Outgoing): Promise<AttemptOutcome> {
    try {
      const outcome = await this.#forward(backend, lease, request, false);
      const stale = isStale(request.head, outcome) && !lease.cancelled && !this.#exchange.aborted;
      return stale ? await this.#forward(backend, lease, request, true) : outcome;
    } catch (thrown) {
      // No lane may do this; if one does, it costs nobody his place on the server.
      return { ...UNTRIED, error: asVaneError(thrown) };
    }
  }

  async #forward(
    backend: LiveBackend,
    lease: Lease,
    request: Outgoing,
    fresh: boolean,
  ): Promise<AttemptOutcome> {
    // The server may have gone between the choice of it and now.
    if (lease.cancelled) return { ...UNTRIED, error: lease.cancelled };
    const { connect, server, tunnel } = backend.config.timeout;
    const isClosing = () => this.#closing;
    const attempt: Attempt = {
      server: lease.server,
      connections: lease.connections,
      fresh,
      target: request.target,
      headers: request.headers,
      timeout: { connect, server, tunnel },
      cancel: undefined,
      get closeAfter() {
        return isClosing();
      },
    };
    lease.onCancel = (reason) => attempt.cancel?.(reason);
    return this.#exchange.forward(attempt);
  }

  async #acquire(backend: LiveBackend, want: Want): Promise<Lease> {
    const exchange = this.#exchange;
    const { clock } = this.#site.context;
    const before = this.#record.queuedMs ?? 0;
    const since = clock.now();
    // What an earlier attempt had reached does not hold for this one.
    Object.assign(this.#record, { phase: 'connect', connectMs: undefined, responseMs: undefined });
    const got = backend.acquire(want);
    let lease: Lease;
    if ('leave' in got) {
      this.#record.phase = 'queue';
      this.#record.queuedBehind = backend.queued - 1;
      exchange.onAborted = got.leave;
      if (exchange.aborted) got.leave(exchange.aborted);
      try {
        lease = await got.lease;
      } finally {
        exchange.onAborted = undefined;
        this.#record.queuedMs = before + clock.now() - since;
      }
    } else {
      lease = got;
      this.#record.queuedMs = before;
    }
    this.#record.lease = lease;
    this.#record.phase = 'connect';
    return lease;
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
    const { retries, redispatch } = backend.config;
    if (this.#record.retries >= retries || this.#exchange.aborted) return undefined;
    if (!mayRepeat(this.#exchange.head, outcome)) return undefined;
    return redispatch && backend.offersOther(this.#tried) ? 'redispatch' : 'retry';
  }

  /** A server that has just refused a connection gets a moment; everything else is tried again at once. */
  async #pause(backend: LiveBackend, outcome: AttemptOutcome): Promise<void> {
    if (outcome.phase !== 'connect' || outcome.error?.source !== 'upstream') return;
    const exchange = this.#exchange;
    const abort = new AbortController();
    exchange.onAborted = (error) => abort.abort(error);
    try {
      const wait = sameServerWait(backend.config.timeout.connect);
      await sleep(this.#site.context.clock, wait, abort.signal);
    } finally {
      exchange.onAborted = undefined;
    }
  }

  #end({ error, responseStarted }: AttemptOutcome): void {
    if (error) this.#fail(error, responseStarted);
  }

  #fail(error: VaneError, responseStarted: boolean): void {
    const record = this.#record;
    record.error = error;
    record.termination = termination(error, record.phase);
    if (error.code === 'INTERNAL') {
      const { frontend, context } = this.#site;
      context.log.error({ frontend: frontend.name, error: error.stack }, 'request failed within');
    }
    // Attempts count what they met themselves; this one ended while there was none.
    if (CLIENT_FAULTS.has(error.code) && error !== this.#told && record.backend)
      record.backend.tally.cliAbrt++;
    const answer = responseStarted ? undefined : failureAnswer(error);
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
    const { tally } = this.#site.frontend;
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
    return this.#site.draining || this.#site.context.draining;
  }

  #finish(): void {
    const { frontend, context } = this.#site;
    const { bytesIn, bytesOut, startedAt } = this.#exchange;
    const record = this.#record;
    const totalMs = context.clock.now() - startedAt;
    if (record.status !== undefined) frontend.tally.responses.add(record.status);
    frontend.tally.sessions.bin += bytesIn;
    frontend.tally.sessions.bout += bytesOut;
    if (record.backend) {
      const { status, connectMs, responseMs, queuedMs = 0 } = record;
      countWork(record.backend.tally, {
        status,
        bytesIn,
        bytesOut,
        queuedMs,
        connectMs,
        responseMs,
        totalMs,
      });
      record.backend.durations.add(totalMs);
    }
    const { accessLog } = frontend.config.options;
    if (accessLog !== 'off')
      context.access(httpEntry(accessLog, this.#site, this.#exchange, record, totalMs));
  }
}

/** From the open connection to the head of the answer, ms. */
function responseTime({ connectMs, headersMs }: AttemptOutcome): number | undefined {
  return connectMs === undefined || headersMs === undefined ? undefined : headersMs - connectMs;
}
