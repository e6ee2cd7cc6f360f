import type { ServerSnapshot } from '../../balance/server.ts';
import type { BackendConfig } from '../../config/runtime/backends.ts';
import type { Clock } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import type { StickEntry } from '../stick/stick-table.ts';
import { nextStickiness, type Stickiness } from '../stick/stickiness.ts';
import type { BackendEvents } from './backend-events.ts';
import { Choice } from './choice.ts';
import { countAttempt, countWork } from './count.ts';
import type { BackendCounters } from './counters.ts';
import { Durations } from './durations.ts';
import { Grant, type Granter } from './grant.ts';
import { Hedges } from './hedges.ts';
import type { Lease, LeaseOutcome, Waiting } from './lease.ts';
import { LiveServer } from './live-server.ts';
import { refusal } from './queue-refusal.ts';
import { RetryBudget } from './retry-budget.ts';
import { Steering } from './steering.ts';
import { WorkTally } from './tally.ts';
import { type Place, WaitQueue } from './wait-queue.ts';

/** What a piece of work wants of a backend. */
export interface Want {
  /** Servers it has been to: another one is taken while there is one. */
  readonly tried: ReadonlySet<string>;
  /** The server it has to stay on, while that takes work. */
  readonly stay: string | undefined;
  /** The server that its client belongs to, unless it has been there: see `stick/`. */
  readonly bound?: string | undefined;
  /** What it is hashed by: see `request/hash-key.ts`. */
  readonly key?: number | undefined;
}

/**
 * A backend at work: its servers as they are now, the choice among them, the queue before them. What is remembered of
 * servers that failed is in {@link Steering}.
 */
export class LiveBackend implements Granter {
  config: BackendConfig;
  readonly tally = new WorkTally();
  readonly durations = new Durations();
  readonly budget: RetryBudget;
  readonly hedges: Hedges;
  readonly #clock: Clock;
  readonly #events: BackendEvents;
  readonly #servers = new Map<string, LiveServer>();
  readonly #queue: WaitQueue;
  readonly #steering: Steering;
  readonly #choice: Choice;
  #stickiness: Stickiness | undefined;
  /** Leases held. */
  #held = 0;
  #noServer = 0;
  #refusedEarly = 0;
  #drainCut = 0;
  #keepsIdle = true;
  /** Why there is no work here any more. */
  #over: VaneError | undefined;

  constructor(config: BackendConfig, deps: { clock: Clock; random: () => number; events: BackendEvents }) {
    this.config = config;
    this.#clock = deps.clock;
    this.#events = deps.events;
    this.#queue = new WaitQueue(deps.clock);
    this.budget = new RetryBudget(config.retryBudget);
    this.hedges = new Hedges(config.hedge);
    this.#steering = new Steering(config.outlier, (change) => {
      const server = this.#servers.get(change.id);
      if (server) this.#events.steered(server.snapshot, change);
    });
    this.#choice = new Choice(config, this.#servers, deps);
    this.#stick();
  }

  get name(): string {
    return this.config.name;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** How clients are brought back to their servers; undefined: they are not. */
  get stickiness(): Stickiness | undefined {
    return this.#stickiness;
  }

  /** Leases held on all servers, also those that are gone. */
  get active(): number {
    return this.#held;
  }

  /** Takes a new configuration; servers, counters and queue stay. */
  update(config: BackendConfig): void {
    this.config = config;
    this.#choice.config = config;
    this.budget.config = config.retryBudget;
    this.hedges.config = config.hedge;
    this.#steering.config = config.outlier;
    this.#stick();
    this.#serveQueue();
  }

  /** Replaces the servers, and their order. What is no longer among them is gone: its work is cut. */
  setServers(snapshots: readonly ServerSnapshot[]): void {
    const wanted = new Set(snapshots.map(({ id }) => id));
    const gone = [...this.#servers.keys()].filter((id) => !wanted.has(id));
    for (const snapshot of snapshots) {
      const live = this.#servers.get(snapshot.id) ?? this.#newServer(snapshot);
      this.#servers.delete(snapshot.id);
      this.#servers.set(snapshot.id, live);
    }
    this.changeServers(snapshots, gone);
  }

  /** Takes servers that are new or not as they were, and ids of those that are gone: their work is cut. */
  changeServers(snapshots: readonly ServerSnapshot[], goneIds: readonly string[]): void {
    const draining: LiveServer[] = [];
    for (const snapshot of snapshots) {
      const known = this.#servers.get(snapshot.id);
      const live = known ?? this.#newServer(snapshot);
      // Another word has been said about it: that counts for more than what was met before.
      if (known?.snapshot.admission !== snapshot.admission) this.#steering.forget(snapshot.id);
      if (known) known.update(snapshot);
      else this.#servers.set(snapshot.id, live);
      if (snapshot.admission === 'draining') draining.push(live);
    }
    const gone = goneIds.flatMap((id) => this.#servers.get(id) ?? []);
    for (const { id } of gone) {
      this.#servers.delete(id);
      this.#steering.forget(id);
    }
    this.#stickiness?.changeServers(snapshots, goneIds);
    this.#choice.changed();
    this.#serveQueue();
    // Only now, so that work cut here finds the new servers when it is repeated.
    for (const server of gone) this.#remove(server);
    for (const server of draining) this.#reportIdle(server);
  }

  /** Ends what is under way on these servers, which stay. */
  cutWork(ids: readonly string[]): void {
    for (const server of ids.flatMap((id) => this.#servers.get(id) ?? [])) {
      const count = server.endWork();
      if (count > 0) this.#events.spared(server.snapshot, count);
    }
  }

  /** Whether there is a server for new work that is not among `tried`. */
  offersOther(tried: ReadonlySet<string>): boolean {
    return this.#choice.offersOther(tried);
  }

  /**
   * Takes a place on a server at once, or in the queue.
   * @param now clock ms
   * @throws VaneError NO_SERVER when no server takes work, QUEUE_FULL, or what the backend was cut with
   */
  acquire(want: Want, now = this.#clock.now()): Lease | Waiting {
    if (this.#over) throw this.#over;
    const offered = this.#choice.servers;
    this.#steering.look(offered, now);
    if (offered.length === 0 && (want.bound === undefined || !this.#ownOf(want))) {
      this.#noServer++;
      this.tally.econ++;
      throw new VaneError('NO_SERVER', `backend ${this.name} has no server that takes work`);
    }
    // Nobody is overtaken: while anyone waits, the servers he may go to are full.
    const lease = this.#grant(want, 0, now);
    if (lease) return lease;
    this.#refuseInVain(want);
    const waiting = this.#queue.join(want, this.config.timeout.queue, () => {
      this.tally.econ++;
      return new VaneError('QUEUE_TIMEOUT', `no server of backend ${this.name} became free in time`);
    });
    this.tally.qmax = Math.max(this.tally.qmax, this.#queue.length);
    return waiting;
  }

  /**
   * A place at once on another server than those tried, for work that is under way already; undefined: none is free,
   * somebody waits for one, or the budget for retries does not allow it.
   * @param now clock ms
   */
  acquireBeside(tried: ReadonlySet<string>, now: number): Lease | undefined {
    if (this.#over || this.#isFull || this.#queue.length > 0) return undefined;
    const isFree = (server: LiveServer) =>
      !tried.has(server.id) && server.hasRoom(this.#load) && !this.#steering.isOut(server.id);
    const server = this.#choice.leastLoaded(isFree);
    return server && this.budget.takeSpare(now) ? this.#give(server, 0, now) : undefined;
  }

  finished(server: LiveServer, outcome: LeaseOutcome, trial: boolean): void {
    this.#held--;
    this.#steering.ended(server, outcome, trial, this.#clock.now(), this.#choice.servers.length);
    countAttempt(this.tally, outcome);
    countAttempt(server.tally, outcome);
    countWork(server.tally, outcome);
    this.#choice.ended(server.id, outcome);
    const { error } = outcome;
    if (error?.source === 'upstream' && server.mayReport(error.code)) {
      this.#events.trouble(server.snapshot, error);
    }
    if (server.observes(outcome)) this.#events.observed(server.snapshot);
    this.#reportIdle(server);
    this.#serveQueue();
  }

  /** Ends all work, turns the queue away and takes nothing new: what is cut here must not come back. */
  cut(reason: VaneError): void {
    this.#over ??= reason;
    this.#queue.clear(reason);
    this.#stickiness?.close();
    for (const server of this.#servers.values()) server.cut(reason);
  }

  /** Keeps no idle connections from now on, of new servers neither. */
  closeIdle(): void {
    this.#keepsIdle = false;
    for (const server of this.#servers.values()) server.closeIdle();
  }

  counters(): BackendCounters {
    return {
      ...this.tally.read(this.#clock.now(), this.#queue.length),
      name: this.name,
      mode: this.config.mode,
      noServer: this.#noServer,
      drainCut: this.#drainCut,
      ...{ refusedEarly: this.#refusedEarly, ejections: this.#steering.ejections },
      retriesRefused: this.budget.refused,
      ...{ hedges: this.hedges.sent, hedgesWon: this.hedges.won },
      tableEntries: this.#stickiness?.table?.size ?? 0,
      duration: this.durations.read(),
      servers: [...this.#servers.values()].map((server) => ({
        ...server.counters(),
        ejected: this.#steering.isOut(server.id) ? 1 : 0,
      })),
    };
  }

  #stick(): void {
    const deps = {
      clock: this.#clock,
      usable: (id: string) => this.#servers.get(id)?.takesOwn === true && !this.#steering.isOut(id),
      tell: (entry: StickEntry) => this.#events.stuck?.(entry),
    };
    const next = nextStickiness(this.config.stickiness, this.#stickiness, deps);
    if (next === this.#stickiness) return;
    this.#stickiness = next;
    next?.changeServers(
      [...this.#servers.values()].map(({ snapshot }) => snapshot),
      [],
    );
  }

  #newServer(snapshot: ServerSnapshot): LiveServer {
    const server = new LiveServer(snapshot, this.#clock);
    if (!this.#keepsIdle) server.closeIdle();
    return server;
  }

  #serveQueue(): void {
    if (this.#queue.length === 0) return;
    const now = this.#clock.now();
    this.#queue.serve(
      (place: Place) => this.#grant(place, now - place.since, now),
      () => this.#isFull || !this.#anyRoom,
    );
  }

  #grant(want: Want, queuedMs: number, now: number): Lease | undefined {
    const server = this.#isFull ? undefined : this.#choose(want, now);
    return server && this.#give(server, queuedMs, now);
  }

  #give(server: LiveServer, queuedMs: number, now: number): Lease {
    server.tally.lbtot++;
    this.tally.lbtot++;
    const wall = this.#clock.wall();
    this.tally.lastSession = wall;
    server.tally.lastSession = wall;
    const trial = this.#steering.any && this.#steering.begin(server.id, now);
    const grant = new Grant(this, server, queuedMs, now, trial);
    this.#held++;
    this.#choice.loadChanged(server.id);
    return grant;
  }

  #choose(want: Want, now: number): LiveServer | undefined {
    const own = this.#ownOf(want);
    if (own?.hasRoom(this.#load)) return own;
    if (own && !this.#mayLeave(own, want)) return undefined;
    const offered = this.#choice.servers;
    const avoid = want.tried.size > 0 && this.offersOther(want.tried) ? want.tried : undefined;
    const steering = this.#steering.any ? this.#steering : undefined;
    const pick = (careful: Steering | undefined) =>
      this.#choice.pick((snapshot) => {
        if (avoid?.has(snapshot.id) || careful?.admits(snapshot.id, now) === false) return false;
        // Asked of every server for every request.
        return snapshot.maxconn === 0 || this.#servers.get(snapshot.id)?.hasRoom(this.#load) === true;
      }, want.key);
    const picked = pick(steering);
    if (picked || !steering) return picked;
    // Where all that are left are passed over, they are used; those that are full are waited for.
    return offered.some(({ id }) => !avoid?.has(id) && steering.admits(id, now))
      ? undefined
      : pick(undefined);
  }

  /** Servers that new work does not go to have clients all the same. */
  get #anyRoom(): boolean {
    if (this.#choice.servers.some((server) => server.hasRoom(this.#load))) return true;
    if (!this.#stickiness) return false;
    for (const server of this.#servers.values())
      if (server.takesOwn && server.hasRoom(this.#load)) return true;
    return false;
  }

  /** The server that work has to go to, while that takes it. */
  #ownOf({ stay, bound, tried }: Want): LiveServer | undefined {
    const id = stay ?? (bound !== undefined && tried.has(bound) ? undefined : bound);
    const server = id === undefined ? undefined : this.#servers.get(id);
    return (id === bound ? server?.takesOwn : server?.open) ? server : undefined;
  }

  /** Clients wait for the server that they belong to, unless too many do (HAProxy, `maxqueue` of a server). */
  #mayLeave({ id, snapshot: { maxqueue } }: LiveServer, { stay }: Want): boolean {
    return stay === undefined && maxqueue !== undefined && this.#queue.waitingFor(id) >= maxqueue;
  }

  /** Its own limit allows no more. */
  get #isFull(): boolean {
    const { maxConnections } = this.config;
    return maxConnections !== undefined && this.#held >= maxConnections;
  }

  /** How much it has to do, of what makes its servers take all they can: `fullconn`. */
  get #load(): number {
    const { fullconn = 0 } = this.config;
    return fullconn > 0 ? (this.#held + this.#queue.length) / fullconn : 1;
  }

  /** Throws where waiting would lead to nothing. */
  #refuseInVain({ stay }: Want): void {
    const own = stay === undefined ? undefined : this.#servers.get(stay)?.snapshot;
    const reason = refusal(this.#queue, this.config, own);
    if (!reason) return;
    if (reason.early) this.#refusedEarly++;
    this.tally.econ++;
    throw new VaneError('QUEUE_FULL', reason.message);
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
