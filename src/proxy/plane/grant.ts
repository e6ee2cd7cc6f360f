import type { ServerSnapshot } from '../../balance/server.ts';
import type { VaneError } from '../../core/errors.ts';
import type { ServerConnections } from '../lanes/lane.ts';
import type { Lease, LeaseOutcome } from './lease.ts';
import type { LiveServer, Running } from './live-server.ts';

/** Who hands out leases. */
export interface Granter {
  /** Told once of each when it is given back. */
  finished(server: LiveServer, outcome: LeaseOutcome): void;
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
  readonly #live: LiveServer;
  readonly #granter: Granter;
  #ended = false;

  /** @param now clock ms */
  constructor(granter: Granter, live: LiveServer, queuedMs: number, now: number) {
    this.#granter = granter;
    this.#live = live;
    this.server = live.snapshot;
    this.connections = live;
    this.queuedMs = queuedMs;
    live.begin(this, now);
    this.serverActive = live.active;
  }

  cancel(reason: VaneError): void {
    if (this.#ended || this.cancelled) return;
    this.cancelled = reason;
    this.onCancel?.(reason);
  }

  done(outcome: LeaseOutcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#live.end(this);
    this.#granter.finished(this.#live, outcome);
  }
}
