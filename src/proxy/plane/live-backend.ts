import { type Algorithm, createAlgorithm, eligible } from '../../balance/algorithms.ts';
import type { ServerSnapshot } from '../../balance/server.ts';
import type { BackendConfig } from '../../config/runtime/backends.ts';
import type { Clock } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import { countAttempt, countWork } from './count.ts';
import type { BackendCounters } from './counters.ts';
import { Durations } from './durations.ts';
import { Grant, type Granter } from './grant.ts';
import type { Lease, LeaseOutcome, Waiting } from './lease.ts';
import { LiveServer } from './live-server.ts';
import { WorkTally } from './tally.ts';
import { type Place, WaitQueue } from './wait-queue.ts';

/** What a piece of work wants of a backend. */
export interface Want {
  /** Servers it has been to: another one is taken while there is one. */
  readonly tried: ReadonlySet<string>;
  /** The server it has to stay on, while that takes work. */
  readonly stay: string | undefined;
}

export interface BackendEvents {
  /** A draining server holds no work any more. */
  idle(server: ServerSnapshot): void;
  /** Work met a fault of a server; already limited in number. */
  trouble(server: ServerSnapshot, error: VaneError): void;
}

/** Requests waiting at most when the configuration says 0. */
export const DEFAULT_MAXQUEUE = 1024;

/**
 * A backend at work: its servers as they are now, the choice among them, the queue before them. Every choice
 * is made from the present; nothing about a failed one is remembered.
 */
export class LiveBackend implements Granter {
  config: BackendConfig;
  readonly tally = new WorkTally();
  readonly durations = new Durations();
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #events: BackendEvents;
  readonly #servers = new Map<string, LiveServer>();
  readonly #queue: WaitQueue;
  #algorithm: Algorithm;
  /** The servers that new work may go to, as of the last change: as they were told, and as they live. */
  #choice: readonly ServerSnapshot[] = [];
  #eligible: readonly LiveServer[] = [];
  #noServer = 0;
  /** Why there is no work here any more. */
  #over: VaneError | undefined;

  constructor(config: BackendConfig, deps: { clock: Clock; random: () => number; events: BackendEvents }) {
    this.config = config;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#events = deps.events;
    this.#queue = new WaitQueue(deps.clock);
    this.#algorithm = this.#createAlgorithm();
  }

  get name(): string {
    return this.config.name;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Leases held on all servers. */
  get active(): number {
    let sum = 0;
    for (const server of this.#servers.values()) sum += server.active;
    return sum;
  }

  /** Takes a new configuration; servers, counters and queue stay. */
  update(config: BackendConfig): void {
    const changed = JSON.stringify(config.balance) !== JSON.stringify(this.config.balance);
    this.config = config;
    if (changed) {
      this.#algorithm = this.#createAlgorithm();
      this.#algorithm.rebuild(this.#choice);
    }
    this.#serveQueue();
  }

  /** Replaces the servers. What is no longer among them is gone: its work is cut. */
  setServers(snapshots: readonly ServerSnapshot[]): void {
    const before = this.#servers.size;
    let kept = 0;
    const draining: LiveServer[] = [];
    for (const snapshot of snapshots) {
      const known = this.#servers.get(snapshot.id);
      const live = known ?? new LiveServer(snapshot, this.#clock);
      if (known) {
        kept++;
        known.update(snapshot);
      } else this.#servers.set(snapshot.id, live);
      if (snapshot.admission === 'draining') draining.push(live);
    }
    const gone = kept < before ? this.#without(snapshots) : [];
    for (const server of gone) this.#servers.delete(server.id);
    this.#offer(snapshots);
    this.#serveQueue();
    // Only now, so that work cut here finds the new servers when it is repeated.
    for (const server of gone) server.remove();
    for (const server of draining) this.#reportIdle(server);
  }

  /** Whether there is a server for new work that is not among `tried`. */
  offersOther(tried: ReadonlySet<string>): boolean {
    return this.#eligible.some((server) => !tried.has(server.id));
  }

  /**
   * Takes a place on a server at once, or in the queue.
   * @throws VaneError NO_SERVER when no server takes work, QUEUE_FULL, or what the backend was cut with
   */
  acquire(want: Want): Lease | Waiting {
    if (this.#over) throw this.#over;
    if (this.#eligible.length === 0) {
      this.#noServer++;
      this.tally.econ++;
      throw new VaneError('NO_SERVER', `backend ${this.name} has no server that takes work`);
    }
    // Nobody is overtaken: while anyone waits, the servers he may go to are full.
    const lease = this.#grant(want, 0, this.#clock.now());
    if (lease) return lease;
    const { maxqueue, timeout } = this.config;
    if (this.#queue.length >= (maxqueue || DEFAULT_MAXQUEUE)) {
      this.tally.econ++;
      throw new VaneError('QUEUE_FULL', `the queue of backend ${this.name} is full`);
    }
    const waiting = this.#queue.join(want, timeout.queue, () => {
      this.tally.econ++;
      return new VaneError('QUEUE_TIMEOUT', `no server of backend ${this.name} became free in time`);
    });
    this.tally.qmax = Math.max(this.tally.qmax, this.#queue.length);
    return waiting;
  }

  finished(server: LiveServer, outcome: LeaseOutcome): void {
    countAttempt(this.tally, outcome);
    countAttempt(server.tally, outcome);
    countWork(server.tally, outcome);
    const { error } = outcome;
    if (error?.source === 'upstream' && server.mayReport(error.code)) {
      this.#events.trouble(server.snapshot, error);
    }
    this.#reportIdle(server);
    this.#serveQueue();
  }

  /** Ends all work, turns the queue away and takes nothing new: what is cut here must not come back. */
  cut(reason: VaneError): void {
    this.#over ??= reason;
    this.#queue.clear(reason);
    for (const server of this.#servers.values()) server.cut(reason);
  }

  /** Keeps no idle connections from now on. */
  closeIdle(): void {
    for (const server of this.#servers.values()) server.closeIdle();
  }

  counters(): BackendCounters {
    return {
      ...this.tally.read(this.#clock.now(), this.#queue.length),
      name: this.name,
      mode: this.config.mode,
      noServer: this.#noServer,
      duration: this.durations.read(),
      servers: [...this.#servers.values()].map((server) => server.counters()),
    };
  }

  #createAlgorithm(): Algorithm {
    return createAlgorithm(this.config.balance, {
      random: this.#random,
      load: (id) => this.#servers.get(id)?.active ?? 0,
    });
  }

  /** The servers that are not among these any more. */
  #without(snapshots: readonly ServerSnapshot[]): readonly LiveServer[] {
    const wanted = new Set(snapshots.map((snapshot) => snapshot.id));
    return [...this.#servers.values()].filter((server) => !wanted.has(server.id));
  }

  /** Has new work go to the best of these. */
  #offer(snapshots: readonly ServerSnapshot[]): void {
    const choice = eligible(snapshots);
    // The end of a drain, for one, leaves it as it is.
    if (isSame(choice, this.#choice)) return;
    this.#choice = choice;
    this.#algorithm.rebuild(choice);
    this.#eligible = choice.flatMap((snapshot) => this.#servers.get(snapshot.id) ?? []);
  }

  #serveQueue(): void {
    if (this.#queue.length === 0) return;
    const now = this.#clock.now();
    this.#queue.serve(
      (place: Place) => this.#grant(place, now - place.since, now),
      () => !this.#eligible.some((server) => server.hasRoom),
    );
  }

  #grant(want: Want, queuedMs: number, now: number): Lease | undefined {
    const server = this.#choose(want);
    if (!server) return undefined;
    server.tally.lbtot++;
    this.tally.lbtot++;
    const wall = this.#clock.wall();
    this.tally.lastSession = wall;
    server.tally.lastSession = wall;
    return new Grant(this, server, queuedMs, now);
  }

  #choose(want: Want): LiveServer | undefined {
    if (want.stay !== undefined) {
      const same = this.#servers.get(want.stay);
      if (same?.open) return same.hasRoom ? same : undefined;
    }
    const avoid = want.tried.size > 0 && this.offersOther(want.tried) ? want.tried : undefined;
    const picked = this.#algorithm.pick((snapshot) => {
      if (avoid?.has(snapshot.id)) return false;
      // Asked of every server for every request.
      return snapshot.maxconn === 0 || this.#servers.get(snapshot.id)?.hasRoom === true;
    });
    return picked && this.#servers.get(picked.id);
  }

  #reportIdle(server: LiveServer): void {
    if (server.takeIdleReport()) this.#events.idle(server.snapshot);
  }
}

function isSame(a: readonly ServerSnapshot[], b: readonly ServerSnapshot[]): boolean {
  return a.length === b.length && a.every((snapshot, i) => snapshot === b[i]);
}
