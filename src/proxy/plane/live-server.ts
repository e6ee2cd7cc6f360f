import type { Socket } from 'node:net';
import { type ServerSnapshot, sameTls } from '../../balance/server.ts';
import type { Clock } from '../../core/clock.ts';
import { type ErrorCode, VaneError } from '../../core/errors.ts';
import type { ServerConnections } from '../lanes/lane.ts';
import { connect } from '../tcp/connect.ts';
import { SocketSlot } from '../tcp/socket-slot.ts';
import type { ServerCounters } from './counters.ts';
import { Crowd, type Member } from './crowd.ts';
import { IdlePool } from './idle-pool.ts';
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
  readonly #trouble = new Map<ErrorCode, Rate>();
  #connections = 0;
  #idleReported = false;
  #removed = false;

  constructor(snapshot: ServerSnapshot, clock: Clock) {
    this.snapshot = snapshot;
    this.#clock = clock;
    this.#pool = this.#newPool();
    // Nothing is kept of a server that new work does not go to, neither now nor after the answers under way.
    if (snapshot.admission !== 'open') this.#pool.close();
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

  /** Whether its own limit allows one more. */
  get hasRoom(): boolean {
    return this.snapshot.maxconn === 0 || this.active < this.snapshot.maxconn;
  }

  update(snapshot: ServerSnapshot): void {
    if (!sameTls(snapshot.tls, this.snapshot.tls)) {
      this.#pool.close();
      this.#pool = this.#newPool();
    }
    this.snapshot = snapshot;
    if (snapshot.admission === 'open') {
      this.#idleReported = false;
      this.#pool.reopen();
    } else this.#pool.close();
  }

  /** True exactly once per drain, when nothing is running on it any more. */
  takeIdleReport(): boolean {
    if (this.#removed || this.open || this.active > 0 || this.#idleReported) return false;
    this.#idleReported = true;
    return true;
  }

  /** @param now clock ms */
  begin(work: Running, now: number): void {
    this.#running.add(work);
    this.tally.sessions.begin(now);
  }

  /** To be called once for each that was begun. */
  end(work: Running): void {
    this.#running.delete(work);
    this.tally.sessions.end();
  }

  /** It is gone: its work is cut, its connections are closed. Returns how much work that was. */
  remove(): number {
    this.#removed = true;
    this.#pool.close();
    const running = this.active;
    if (running > 0) this.cut(new VaneError('SERVER_REMOVED', `server ${this.snapshot.name} was removed`));
    return running;
  }

  /** Ends everything under way. */
  cut(reason: VaneError): void {
    for (const work of this.#running.all) work.cancel(reason);
  }

  /** No connection is kept for later use from now on. */
  closeIdle(): void {
    this.#pool.close();
  }

  takeIdle(within?: number): Socket | undefined {
    return this.#pool.take(within);
  }

  async connect(timeout: number, signal: AbortSignal): Promise<Socket> {
    const { address, port, tls } = this.snapshot;
    const pool = this.#pool;
    const socket = await connect({ address, port, tls, timeout, clock: this.#clock, signal });
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

  counters(): ServerCounters {
    return {
      ...this.tally.read(this.#clock.now(), 0),
      id: this.id,
      idleConnections: this.#pool.size,
      usedConnections: this.#connections - this.#pool.size,
    };
  }

  #newPool(): IdlePool {
    return new IdlePool({ clock: this.#clock, max: IDLE_MAX, timeout: IDLE_TIMEOUT_MS });
  }
}

/** Where connections go back to: once TLS was changed, what was made before finds its pool closed, and ends. */
const HOMES = new SocketSlot<IdlePool>();
