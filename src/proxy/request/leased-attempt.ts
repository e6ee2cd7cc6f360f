import type { VaneError } from '../../core/errors.ts';
import type { Attempt, AttemptOutcome } from '../lanes/lane.ts';
import type { Lease, LeaseOutcome } from '../plane/lease.ts';
import type { LiveBackend } from '../plane/live-backend.ts';
import type { Stick } from '../stick/stick.ts';
import type { HttpSite } from './http-record.ts';
import type { Outgoing } from './outgoing.ts';
import { isWorthKeeping } from './retry.ts';

/** What is to be served, and by whom. */
export interface Work {
  readonly backend: LiveBackend;
  readonly outgoing: Outgoing;
  /** Undefined: the backend brings nobody back to any server. */
  readonly stick: Stick | undefined;
}

/** Who makes attempts. */
export interface Attempter {
  readonly site: HttpSite;
  /** Told once of each. Never throws. */
  attempted(attempt: LeasedAttempt, outcome: AttemptOutcome): void;
  /**
   * Told of the head of its answer. True: another attempt is to follow, or to go on, instead of this answer.
   * @param replayable nothing of the request is lost
   */
  answered(attempt: LeasedAttempt, status: number, replayable: boolean): boolean;
}

/** One try of a request at the server that it has a lease of. */
export class LeasedAttempt implements Attempt {
  readonly work: Work;
  readonly lease: Lease;
  readonly startedAt: number;
  readonly fresh: boolean;
  cancel: ((reason: VaneError) => void) | undefined;
  readonly #attempter: Attempter;
  /** Another attempt has answered before it. */
  #lost = false;

  constructor(attempter: Attempter, work: Work, lease: Lease, startedAt: number, fresh: boolean) {
    this.#attempter = attempter;
    this.work = work;
    this.lease = lease;
    this.startedAt = startedAt;
    this.fresh = fresh;
    this.cancel = undefined;
    lease.onCancel = (reason) => this.cancel?.(reason);
  }

  get server(): Attempt['server'] {
    return this.lease.server;
  }

  get connections(): Attempt['connections'] {
    return this.lease.connections;
  }

  get target(): string {
    return this.work.outgoing.target;
  }

  get headers(): readonly string[] {
    const { stick, outgoing } = this.work;
    return stick ? stick.headers : outgoing.headers;
  }

  get vetted(): boolean {
    return this.work.outgoing.vetted;
  }

  get timeout(): Attempt['timeout'] {
    return this.work.backend.config.timeout;
  }

  get closeAfter(): boolean {
    const { site } = this.#attempter;
    return site.draining || site.context.draining;
  }

  get edit(): Attempt['edit'] {
    const { stick } = this.work;
    return stick && ((headers) => stick.answered(this.lease.server.id, headers));
  }

  get keepBody(): number {
    const { retries, retryOn, bufsize = 0 } = this.work.backend.config;
    return retries > 0 && isWorthKeeping(this.work.outgoing.head, retryOn) ? bufsize : 0;
  }

  answered(status: number, replayable: boolean): boolean {
    this.lease.answered();
    return this.#attempter.answered(this, status, replayable);
  }

  /** Breaks it off, as nobody waits for it any longer; whoever made it hears nothing more of it. */
  lose(reason: VaneError): void {
    this.#lost = true;
    this.cancel?.(reason);
  }

  ended(outcome: AttemptOutcome): void {
    if (this.#lost) this.giveBack(outcome, this.#attempter.site.context.clock.now(), 'hedge');
    else this.#attempter.attempted(this, outcome);
  }

  /**
   * Gives the server back.
   * @param now clock ms
   * @param next where its request goes on
   */
  giveBack(outcome: AttemptOutcome, now: number, next: LeaseOutcome['next']): void {
    const { error, status, connectMs } = outcome;
    this.lease.done({
      error,
      status,
      reused: connectMs === undefined ? undefined : outcome.reused,
      queuedMs: this.lease.queuedMs,
      connectMs,
      responseMs: responseTime(outcome),
      totalMs: now - this.startedAt,
      bytesIn: outcome.bytesToServer,
      bytesOut: outcome.bytesFromServer,
      next,
    });
  }
}

/** From the open connection to the head of the answer, ms. */
export function responseTime({ connectMs, headersMs }: AttemptOutcome): number | undefined {
  return connectMs === undefined || headersMs === undefined ? undefined : headersMs - connectMs;
}
