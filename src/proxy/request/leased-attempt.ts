import type { VaneError } from '../../core/errors.ts';
import type { Attempt, AttemptOutcome } from '../lanes/lane.ts';
import type { Lease } from '../plane/lease.ts';
import type { LiveBackend } from '../plane/live-backend.ts';
import type { HttpSite } from './http-record.ts';
import type { Outgoing } from './outgoing.ts';

/** What is to be served, and by whom. */
export interface Work {
  readonly backend: LiveBackend;
  readonly outgoing: Outgoing;
}

/** Who makes attempts. */
export interface Attempter {
  readonly site: HttpSite;
  /** Told once of each. Never throws. */
  attempted(attempt: LeasedAttempt, outcome: AttemptOutcome): void;
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
    return this.work.outgoing.headers;
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

  ended(outcome: AttemptOutcome): void {
    this.#attempter.attempted(this, outcome);
  }
}
