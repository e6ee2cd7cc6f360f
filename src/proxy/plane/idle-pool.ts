import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../core/clock.ts';

interface Idle {
  readonly socket: Socket;
  readonly since: number;
  /** Takes the pool's hands off the socket. */
  readonly letGo: () => void;
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
  #idle: Idle[] = [];
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
    const limit = this.#clock.now() - within;
    for (let youngest = this.#idle.at(-1); youngest; youngest = this.#idle.at(-1)) {
      if (youngest.since < limit) return undefined;
      this.#idle.pop();
      youngest.letGo();
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
    if (this.#idle.length >= this.#max) this.#drop(this.#idle[0]);
    const drop = () => this.#drop(this.#idle.find((one) => one.socket === socket));
    for (const event of BROKEN) socket.on(event, drop);
    const letGo = () => {
      for (const event of BROKEN) socket.off(event, drop);
    };
    this.#idle.push({ socket, since: this.#clock.now(), letGo });
    // Only a flowing socket notices that the other side has gone.
    socket.resume();
    this.#armTimer();
  }

  /** Drops all and keeps none from now on. */
  close(): void {
    this.#closed = true;
    for (const one of [...this.#idle]) this.#drop(one);
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #drop(idle: Idle | undefined): void {
    if (!idle) return;
    this.#idle = this.#idle.filter((one) => one !== idle);
    discard(idle.socket);
    idle.letGo();
  }

  #armTimer(): void {
    const oldest = this.#idle[0];
    if (this.#cancelTimer || !oldest) return;
    this.#cancelTimer = this.#clock.after(oldest.since + this.#timeout - this.#clock.now(), () => {
      this.#cancelTimer = undefined;
      const limit = this.#clock.now() - this.#timeout;
      for (const one of this.#idle.filter((each) => each.since <= limit)) this.#drop(one);
      this.#armTimer();
    });
  }
}

const BROKEN = ['data', 'end', 'error', 'close'] as const;

function isQuiet(socket: Socket): boolean {
  return !socket.destroyed && socket.writable && socket.readable && socket.readableLength === 0;
}

/** A last error of a connection that is dropped concerns nobody, but must not be uncaught. */
function discard(socket: Socket): void {
  socket.on('error', () => {});
  socket.destroy();
}
