import type { Socket } from 'node:net';
import { type ServerSnapshot, sameTls } from '../../balance/server.ts';
import type { Clock } from '../../core/clock.ts';
import { type ErrorCode, VaneError } from '../../core/errors.ts';
import type { ClientAddress, ServerConnections } from '../lanes/lane.ts';
import { connect } from '../tcp/connect.ts';
import { writeProxyHead } from '../tcp/proxy-protocol.ts';
import { SocketSlot } from '../tcp/socket-slot.ts';
import type { ServerCounters } from './counters.ts';
import { Crowd, type Member } from './crowd.ts';
import { IdlePool } from './idle-pool.ts';
import type { LeaseOutcome } from './lease.ts';
import { ObservedErrors } from './observed-errors.ts';
import { Rate } from './rate.ts';
import { WorkTally } from './tally.ts';

/**
 * Idle connections kept per server and plane, and for how long. HAProxy keeps any number of them (pool-max-conn), and
 * clients that are served at once and then leave must not have them closed and opened again (pool-purge-delay is 5s).
 */
const IDLE_MAX = 1_024;
const IDLE_TIMEOUT_MS = 4_500;

/** Reports of one kind of trouble per server and second. */
const TROUBLE_PER_SECOND = 3;

/** Failures that a server which hangs cannot cause. */
const PROGRESS: ReadonlySet<ErrorCode> = new Set([
  'CONNECT_REFUSED',
  'UPSTREAM_CLOSED',
  'UPSTREAM_PROTOCOL',
  'UPSTREAM_STATUS',
]);

/** Something under way on a server that can be ended. */
export interface Running extends Member {
  cancel(reason: VaneError): void;
}

/**
 * One server as this plane uses it: what it is doing, what it has done, its connections. It outlives changes
 * of its snapshot and of the configuration; whoever holds a lease of it may finish even when it is gone.
 */
export class LiveServer implements ServerConnections {
  snapshot: ServerSnapshot;
  readonly tally = new WorkTally();
  readonly #clock: Clock;
  #pool: IdlePool;
  readonly #running = new Crowd<Running>();
  readonly #observed = new ObservedErrors();
  readonly #trouble = new Map<ErrorCode, Rate>();
  #connections = 0;
  #pending = 0;
  #progressAt = 0;
  #idleReported = false;
  #keepsIdle = true;
  #removed = false;

  constructor(snapshot: ServerSnapshot, clock: Clock) {
    this.snapshot = snapshot;
    this.#clock = clock;
    this.#pool = this.#newPool();
    this.#syncPool();
  }

  get id(): string {
    return this.snapshot.id;
  }

  /** Leases held. */
  get active(): number {
    return this.#running.size;
  }

  get open(): boolean {
    return !this.#removed && this.snapshot.admission === 'open';
  }

  /** Whether clients that belong to it may come: it takes new work, or an operator drains it. */
  get takesOwn(): boolean {
    return this.open || (!this.#removed && this.snapshot.keeps === true);
  }

  /** Leases held of which no answer has begun. */
  get pending(): number {
    return this.#pending;
  }

  /** Clock ms since which nothing that was pending has come to anything. */
  get progressAt(): number {
    return this.#progressAt;
  }

  /**
   * Whether its own limit allows one more.
   * @param load of its backend, 0 to 1: its limit is between `minconn` and `maxconn` accordingly
   */
  hasRoom(load: number): boolean {
    const { maxconn, minconn } = this.snapshot;
    if (maxconn === 0) return true;
    const limit = minconn ? Math.max(minconn, Math.min(maxconn, Math.floor(maxconn * load))) : maxconn;
    return this.active < limit;
  }

  update(snapshot: ServerSnapshot): void {
    if (!sameTls(snapshot.tls, this.snapshot.tls) || snapshot.sendProxy !== this.snapshot.sendProxy) {
      this.#pool.close();
      this.#pool = this.#newPool();
    }
    this.snapshot = snapshot;
    if (snapshot.admission === 'open') this.#idleReported = false;
    this.#syncPool();
  }

  /** True exactly once per drain, when nothing is running on it any more. */
  takeIdleReport(): boolean {
    if (this.takesOwn || this.#removed || this.active > 0 || this.#idleReported) return false;
    this.#idleReported = true;
    return true;
  }

  /** @param now clock ms */
  begin(work: Running, now: number): void {
    this.#running.add(work);
    if (this.#pending++ === 0) this.#progressAt = now;
    this.tally.sessions.begin(now);
  }

  /** To be called once for each that was begun. */
  end(work: Running): void {
    this.#running.delete(work);
    this.tally.sessions.end();
  }

  /** To be called once at most for each that was begun, and else {@link unanswered}. */
  answered(): void {
    this.#pending--;
    this.#progressAt = this.#clock.now();
  }

  unanswered(error: VaneError | undefined): void {
    this.#pending--;
    // What somebody else has ended, and what ran out of time, has come to nothing.
    if (error === undefined || PROGRESS.has(error.code)) this.#progressAt = this.#clock.now();
  }

  /** True: its work has met so many errors in a row that control is to hear of it. */
  observes(outcome: LeaseOutcome): boolean {
    const { observe } = this.snapshot;
    return observe !== undefined && this.#observed.take(outcome, observe);
  }

  /** It is gone: its work is cut, its connections are closed. Returns how much work that was. */
  remove(): number {
    this.#removed = true;
    this.#pool.close();
    const running = this.active;
    if (running > 0) this.cut(new VaneError('SERVER_REMOVED', `server ${this.snapshot.name} was removed`));
    return running;
  }

  /** Ends what is under way, as it is a backup that is needed no more. Returns how much that was. */
  endWork(): number {
    const { active } = this;
    const { name } = this.snapshot;
    if (active > 0) this.cut(new VaneError('SERVER_REMOVED', `the backup ${name} is needed no more`));
    return active;
  }

  /** Ends everything under way. */
  cut(reason: VaneError): void {
    for (const work of this.#running.all) work.cancel(reason);
  }

  /** No connection is kept for later use from now on, whatever is told of it. */
  closeIdle(): void {
    this.#keepsIdle = false;
    this.#pool.close();
  }

  takeIdle(within?: number): Socket | undefined {
    // A connection that was told whose it is serves nobody else.
    if (this.snapshot.sendProxy) return undefined;
    return this.#pool.take(within);
  }

  async connect(timeout: number, signal: AbortSignal, client?: ClientAddress): Promise<Socket> {
    const { address, port, tls, sendProxy } = this.snapshot;
    const pool = this.#pool;
    const head = sendProxy && writeProxyHead(sendProxy, client);
    const socket = await connect({ address, port, tls, head, timeout, clock: this.#clock, signal });
    HOMES.set(socket, pool);
    if (!socket.closed) {
      this.#connections++;
      socket.once('close', () => {
        this.#connections--;
      });
    }
    return socket;
  }

  giveBack(socket: Socket): void {
    if (this.snapshot.sendProxy) {
      socket.destroy();
      return;
    }
    (HOMES.get(socket) ?? this.#pool).put(socket);
  }

  /** Whether one more report of this kind is wanted now. */
  mayReport(code: ErrorCode): boolean {
    const rate = this.#trouble.get(code) ?? new Rate();
    this.#trouble.set(code, rate);
    const now = this.#clock.now();
    if (rate.read(now) >= TROUBLE_PER_SECOND) return false;
    rate.hit(now);
    return true;
  }

  counters(): Omit<ServerCounters, 'ejected'> {
    return {
      ...this.tally.read(this.#clock.now(), 0),
      id: this.id,
      idleConnections: this.#pool.size,
      usedConnections: this.#connections - this.#pool.size,
    };
  }

  /** Nothing is kept of a server that new work does not go to, neither now nor after the answers under way. */
  #syncPool(): void {
    if (this.#keepsIdle && this.open) this.#pool.reopen();
    else this.#pool.close();
  }

  #newPool(): IdlePool {
    return new IdlePool({ clock: this.#clock, max: IDLE_MAX, timeout: IDLE_TIMEOUT_MS });
  }
}

/** Where connections go back to: once TLS or the PROXY protocol was changed, what was made before finds its pool closed, and ends. */
const HOMES = new SocketSlot<IdlePool>();
