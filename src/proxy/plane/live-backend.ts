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
  /** What it is hashed by: see `request/hash-key.ts`. */
  readonly key?: number | undefined;
}

export interface BackendEvents {
  /** A draining server holds no work any more. */
  idle(server: ServerSnapshot): void;
  /** Work met a fault of a server; already limited in number. */
  trouble(server: ServerSnapshot, error: VaneError): void;
  /** A server is gone while that much work was under way on it, which is being ended. */
  cut(server: ServerSnapshot, count: number): void;
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
  /** Servers have changed since: the choice is made anew when it is needed, once for all changes up to then. */
  #stale = false;
  #noServer = 0;
  #drainCut = 0;
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
    const wanted = new Set(snapshots.map(({ id }) => id));
    const gone = [...this.#servers.keys()].filter((id) => !wanted.has(id));
    this.changeServers(snapshots, gone);
  }

  /** Takes servers that are new or not as they were, and ids of those that are gone: their work is cut. */
  changeServers(snapshots: readonly ServerSnapshot[], goneIds: readonly string[]): void {
    const draining: LiveServer[] = [];
    for (const snapshot of snapshots) {
      const known = this.#servers.get(snapshot.id);
      const live = known ?? new LiveServer(snapshot, this.#clock);
      if (known) known.update(snapshot);
      else this.#servers.set(snapshot.id, live);
      if (snapshot.admission === 'draining') draining.push(live);
    }
    const gone = goneIds.flatMap((id) => this.#servers.get(id) ?? []);
    for (const server of gone) this.#servers.delete(server.id);
    this.#stale = true;
    this.#serveQueue();
    // Only now, so that work cut here finds the new servers when it is repeated.
    for (const server of gone) this.#remove(server);
    for (const server of draining) this.#reportIdle(server);
  }

  /** Whether there is a server for new work that is not among `tried`. */
  offersOther(tried: ReadonlySet<string>): boolean {
    return this.#offered().some((server) => !tried.has(server.id));
  }

  /**
   * Takes a place on a server at once, or in the queue.
   * @param now clock ms
   * @throws VaneError NO_SERVER when no server takes work, QUEUE_FULL, or what the backend was cut with
   */
  acquire(want: Want, now = this.#clock.now()): Lease | Waiting {
    if (this.#over) throw this.#over;
    if (this.#offered().length === 0) {
      this.#noServer++;
      this.tally.econ++;
      throw new VaneError('NO_SERVER', `backend ${this.name} has no server that takes work`);
    }
    // Nobody is overtaken: while anyone waits, the servers he may go to are full.
    const lease = this.#grant(want, 0, now);
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
    this.#algorithm.loadChanged?.(server.id);
    this.#tellAnswered(server.id, outcome);
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
      drainCut: this.#drainCut,
      duration: this.durations.read(),
      servers: [...this.#servers.values()].map((server) => server.counters()),
    };
  }

  #createAlgorithm(): Algorithm {
    return createAlgorithm(this.config.balance, {
      random: this.#random,
      now: () => this.#clock.now(),
      load: (id) => this.#servers.get(id)?.active ?? 0,
    });
  }

  /** The servers that new work goes to: the best of those there are. */
  #offered(): readonly LiveServer[] {
    if (!this.#stale) return this.#eligible;
    this.#stale = false;
    const choice = eligible(inOrder([...this.#servers.values()].map(({ snapshot }) => snapshot)));
    // The end of a drain, for one, leaves it as it is.
    if (isSame(choice, this.#choice)) return this.#eligible;
    this.#choice = choice;
    this.#algorithm.rebuild(choice);
    this.#eligible = choice.flatMap((snapshot) => this.#servers.get(snapshot.id) ?? []);
    return this.#eligible;
  }

  #serveQueue(): void {
    if (this.#queue.length === 0) return;
    const now = this.#clock.now();
    this.#queue.serve(
      (place: Place) => this.#grant(place, now - place.since, now),
      () => !this.#offered().some((server) => server.hasRoom),
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
    const grant = new Grant(this, server, queuedMs, now);
    this.#algorithm.loadChanged?.(server.id);
    return grant;
  }

  #choose(want: Want): LiveServer | undefined {
    if (want.stay !== undefined) {
      const same = this.#servers.get(want.stay);
      if (same?.open) return same.hasRoom ? same : undefined;
    }
    this.#offered();
    const avoid = want.tried.size > 0 && this.offersOther(want.tried) ? want.tried : undefined;
    const picked = this.#algorithm.pick((snapshot) => {
      if (avoid?.has(snapshot.id)) return false;
      // Asked of every server for every request.
      return snapshot.maxconn === 0 || this.#servers.get(snapshot.id)?.hasRoom === true;
    }, want.key);
    return picked && this.#servers.get(picked.id);
  }

  /** What a client gave up, and what never reached the server, says nothing about it. */
  #tellAnswered(id: string, { error, responseMs, totalMs }: LeaseOutcome): void {
    if (!this.#algorithm.answered) return;
    const failed = error?.source === 'upstream';
    if (responseMs === undefined && !failed) return;
    this.#algorithm.answered(id, { now: this.#clock.now(), tookMs: responseMs ?? totalMs, failed });
  }

  #remove(server: LiveServer): void {
    const cut = server.remove();
    if (cut === 0) return;
    this.#drainCut += cut;
    this.#events.cut(server.snapshot, cut);
  }

  #reportIdle(server: LiveServer): void {
    if (server.takeIdleReport()) this.#events.idle(server.snapshot);
  }
}

function isSame(a: readonly ServerSnapshot[], b: readonly ServerSnapshot[]): boolean {
  return a.length === b.length && a.every((snapshot, i) => snapshot === b[i]);
}

/** By rank; those of one rank as they came. */
function inOrder(servers: ServerSnapshot[]): readonly ServerSnapshot[] {
  let last = 0;
  for (const { rank } of servers) {
    if (rank < last) return servers.sort((a, b) => a.rank - b.rank);
    last = rank;
  }
  return servers;
}
