import type { ServerSnapshot } from '../../balance/server.ts';
import type { VaneError } from '../../core/errors.ts';
import type { ServerConnections } from '../lanes/lane.ts';
import type { Lease, LeaseOutcome } from './lease.ts';
import type { LiveServer, Running } from './live-server.ts';

/** Who hands out leases. */
export interface Granter {
  /** Told once of each when it is given back. */
  finished(server: LiveServer, outcome: LeaseOutcome, trial: boolean): void;
}

/** A lease as the backend hands it out. */
export class Grant implements Lease, Running {
  readonly server: ServerSnapshot;
  readonly connections: ServerConnections;
  readonly queuedMs: number;
  readonly serverActive: number;
  cancelled: VaneError | undefined;
  onCancel: ((reason: VaneError) => void) | undefined;
  place = -1;
  /** The server was passed over, and this tells whether it still has to be. */
  readonly trial: boolean;
  #answered = false;
  readonly #live: LiveServer;
  readonly #granter: Granter;
  #ended = false;

  /** @param now clock ms */
  constructor(granter: Granter, live: LiveServer, queuedMs: number, now: number, trial: boolean) {
    this.#granter = granter;
    this.#live = live;
    this.server = live.snapshot;
    this.connections = live;
    this.queuedMs = queuedMs;
    this.trial = trial;
    live.begin(this, now);
    this.serverActive = live.active;
  }

  cancel(reason: VaneError): void {
    if (this.#ended || this.cancelled) return;
    this.cancelled = reason;
    this.onCancel?.(reason);
  }

  answered(): void {
    if (this.#answered || this.#ended) return;
    this.#answered = true;
    this.#live.answered();
  }

  done(outcome: LeaseOutcome): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#answered) this.#live.unanswered(outcome.error);
    this.#live.end(this);
    this.#granter.finished(this.#live, outcome, this.trial);
  }
}
