import type { ServerSnapshot } from '../../balance/server.ts';
import type { VaneError } from '../../core/errors.ts';
import type { ServerConnections } from '../lanes/lane.ts';
import type { Lease, LeaseOutcome } from './lease.ts';
import type { LiveServer, Running } from './live-server.ts';

/** A lease as the backend hands it out. */
export class Grant implements Lease, Running {
  readonly server: ServerSnapshot;
  readonly connections: ServerConnections;
  readonly queuedMs: number;
  readonly serverActive: number;
  cancelled: VaneError | undefined;
  onCancel: ((reason: VaneError) => void) | undefined;
  readonly #live: LiveServer;
  readonly #finished: (outcome: LeaseOutcome) => void;
  #ended = false;

  constructor(live: LiveServer, queuedMs: number, finished: (outcome: LeaseOutcome) => void) {
    this.#live = live;
    this.#finished = finished;
    this.server = live.snapshot;
    this.connections = live;
    this.queuedMs = queuedMs;
    live.begin(this);
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
    this.#finished(outcome);
  }
}
