import type { VaneError } from '../../core/errors.ts';
import type { Attempt, AttemptOutcome } from '../lanes/lane.ts';
import type { Lease } from '../plane/lease.ts';
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
  /** Whether another attempt is to follow instead of this answer. */
  declines(attempt: LeasedAttempt, status: number): boolean;
}

/** One try of a request at the server that it has a lease of. */
export class LeasedAttempt implements Attempt {
  readonly work: Work;
  readonly lease: Lease;
  readonly startedAt: number;
  readonly fresh: boolean;
  cancel: ((reason: VaneError) => void) | undefined;
  readonly #attempter: Attempter;

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
    return replayable && this.#attempter.declines(this, status);
  }

  ended(outcome: AttemptOutcome): void {
    this.#attempter.attempted(this, outcome);
  }
}
