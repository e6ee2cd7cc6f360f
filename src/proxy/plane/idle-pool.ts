import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../core/clock.ts';
import { SocketSlot } from '../tcp/socket-slot.ts';

/** A connection as the pool knows it, from the first time it lies idle to its end. */
class Pooled {
  readonly socket: Socket;
  /** Clock ms. */
  since = 0;
  /** Nobody uses it. */
  idle = false;

  /** @param onBroken it is gone, or has said what nobody asked for, while it was idle */
  constructor(socket: Socket, onBroken: (pooled: Pooled) => void) {
    this.socket = socket;
    const broken = () => {
      if (this.idle) onBroken(this);
    };
    // They stay, and do nothing while it is used: setting them anew for each request costs more than the request.
    for (const event of BROKEN) socket.on(event, broken);
  }
}

export interface IdlePoolOptions {
  readonly clock: Clock;
  /** Idle connections kept at most; the oldest goes when another comes. */
  readonly max: number;
  /** How long one is kept unused, ms. Shorter than servers' usual keep-alive times, so that we close first. */
  readonly timeout: number;
}

/**
 * Connections to one server between two requests. The youngest is used first, so that the rest can age out.
 * An idle connection that says anything, ends or fails is dropped at once: nothing is expected on it, and
 * what arrives unasked would be taken for the answer to the next request (response smuggling).
 */
export class IdlePool {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #timeout: number;
  /** Oldest first. */
  #idle: Pooled[] = [];
  #cancelTimer: Cancel | undefined;
  #closed = false;

  constructor(options: IdlePoolOptions) {
    this.#clock = options.clock;
    this.#max = options.max;
    this.#timeout = options.timeout;
  }

  get size(): number {
    return this.#idle.length;
  }

  /** A connection known to have been good at most `within` ms ago. */
  take(within = Number.POSITIVE_INFINITY): Socket | undefined {
    const limit = within === Number.POSITIVE_INFINITY ? -within : this.#clock.now() - within;
    for (let youngest = this.#idle.at(-1); youngest; youngest = this.#idle.at(-1)) {
      if (youngest.since < limit) return undefined;
      this.#idle.pop();
      youngest.idle = false;
      if (isQuiet(youngest.socket)) return youngest.socket;
      discard(youngest.socket);
    }
    return undefined;
  }

  /** Keeps a connection whose last answer ended cleanly. */
  put(socket: Socket): void {
    if (this.#closed || this.#max === 0 || !isQuiet(socket)) {
      discard(socket);
      return;
    }
    if (this.#idle.length >= this.#max) this.#dropOldest(1);
    const pooled = this.#pooled(socket);
    pooled.idle = true;
    pooled.since = this.#clock.now();
    this.#idle.push(pooled);
    // Only a flowing socket notices that the other side has gone.
    socket.resume();
    this.#armTimer();
  }

  /** Drops all and keeps none from now on, until {@link reopen}. */
  close(): void {
    this.#closed = true;
    this.#dropOldest(this.#idle.length);
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  reopen(): void {
    this.#closed = false;
  }

  #pooled(socket: Socket): Pooled {
    let pooled = POOLED.get(socket);
    if (!pooled) {
      pooled = new Pooled(socket, this.#drop);
      POOLED.set(socket, pooled);
    }
    return pooled;
  }

  readonly #drop = (pooled: Pooled) => {
    this.#idle = this.#idle.filter((one) => one !== pooled);
    pooled.idle = false;
    discard(pooled.socket);
  };

  #dropOldest(count: number): void {
    for (const pooled of this.#idle.splice(0, count)) {
      pooled.idle = false;
      discard(pooled.socket);
    }
  }

  #armTimer(): void {
    const oldest = this.#idle[0];
    if (this.#cancelTimer || !oldest) return;
    this.#cancelTimer = this.#clock.after(oldest.since + this.#timeout - this.#clock.now(), () => {
      this.#cancelTimer = undefined;
      const limit = this.#clock.now() - this.#timeout;
      const younger = this.#idle.findIndex(({ since }) => since > limit);
      this.#dropOldest(younger < 0 ? this.#idle.length : younger);
      this.#armTimer();
    });
  }
}

/** No connection is ever in two pools. */
const POOLED = new SocketSlot<Pooled>();

const BROKEN = ['data', 'end', 'error', 'close'] as const;

function isQuiet(socket: Socket): boolean {
  return !socket.destroyed && socket.writable && socket.readable && socket.readableLength === 0;
}

/** A last error of a connection that is dropped concerns nobody, but must not be uncaught. */
function discard(socket: Socket): void {
  socket.on('error', () => {});
  socket.destroy();
}
