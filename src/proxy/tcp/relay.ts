import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import type { Side } from '../lanes/turn-timer.ts';
import { cut } from './cut.ts';
import { passOn } from './pass-on.ts';
import { SocketReader } from './socket-reader.ts';
import { goingAway, WebSocketFrames } from './web-socket-frames.ts';

export interface RelayOptions {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes that were read already from each side: they are sent first. */
  readonly fromClient?: Buffer;
  readonly fromServer?: Buffer;
  readonly clock: Clock;
  /** Milliseconds of silence in both directions allowed; 0: no limit. */
  readonly idle: number;
  /** What is said is frames of WebSocket, so that it can be told when one is whole. */
  readonly webSocket?: boolean;
}

export interface RelayEnd {
  /** Undefined: both sides ended by themselves, and each got all that the other had sent. */
  readonly error: VaneError | undefined;
  readonly bytesToServer: number;
  readonly bytesToClient: number;
}

export interface Relay {
  /** Never rejects. Both sockets are closed, or being closed, when it resolves. */
  readonly ended: Promise<RelayEnd>;
  readonly bytesToServer: number;
  readonly bytesToClient: number;
  /**
   * Ends both sides in order: what was read is passed on, and then each is told by a FIN, and on a WebSocket by a close
   * frame before it, 1001 (going away), behind the frame that is under way. A side that does not end within
   * {@link CLOSE_MS} is not waited for; if it has only a part of what was being said, it learns of that by a reset.
   */
  close(reason: VaneError): void;
}

/**
 * Moves bytes both ways between two connections until both directions have ended. It owns both sockets from now
 * on; whoever had listeners on them takes them off. What is held of a direction is bounded: while its taker does
 * not take, its sender is not read. The end of one direction is passed on once its bytes are out, and the other
 * goes on (TCP half-close, RFC 9293, section 3.6).
 *
 * Ends with CLIENT_ABORTED or UPSTREAM_CLOSED when a side breaks, CLIENT_TIMEOUT or UPSTREAM_TIMEOUT when nothing
 * moved for too long, or with what it was closed with. Silence ends both sides as HAProxy does, by a FIN; whatever
 * breaks off what was being said, by a reset.
 */
export function relay(options: RelayOptions): Relay {
  return new SocketRelay(options);
}

/**
 * How long the other side may still take what a broken one had said, without a move, ms. Closing at once would
 * reset a connection that has bytes unread, and with it what is still on the wire (nginx: lingering_timeout).
 */
const LINGER_MS = 5_000;

/** How long both sides may take to end when they are told to, ms. */
const CLOSE_MS = 500;

/** One direction. */
interface Way {
  readonly from: Socket;
  readonly to: Socket;
  readonly toward: Side;
  readonly frames: WebSocketFrames | undefined;
  bytes: number;
  /** Its taker has been told that nothing more comes. */
  ended: boolean;
}

class SocketRelay implements Relay {
  readonly ended: Promise<RelayEnd>;
  readonly #resolve: (end: RelayEnd) => void;
  readonly #toServer: Way;
  readonly #toClient: Way;
  readonly #clock: Clock;
  #idle: number;
  #cancelTimer: Cancel | undefined;
  #last: number;
  /** Whoever has to say something next. Nobody has asked the server anything yet. */
  #turn: Side = 'client';
  #failure: VaneError | undefined;
  /** Both sides are being told to end. */
  #closing = false;
  #over = false;

  constructor({ client, server, fromClient, fromServer, clock, idle, webSocket = false }: RelayOptions) {
    const { promise, resolve } = Promise.withResolvers<RelayEnd>();
    this.ended = promise;
    this.#resolve = resolve;
    this.#clock = clock;
    this.#idle = idle;
    this.#last = clock.now();
    const frames = () => (webSocket ? new WebSocketFrames() : undefined);
    const fresh = { bytes: 0, ended: false };
    this.#toServer = { from: client, to: server, toward: 'server', frames: frames(), ...fresh };
    this.#toClient = { from: server, to: client, toward: 'client', frames: frames(), ...fresh };
    this.#listen(this.#toServer);
    this.#listen(this.#toClient);
    this.#arm();
    this.#begin(this.#toServer, fromClient);
    this.#begin(this.#toClient, fromServer);
  }

  get bytesToServer(): number {
    return this.#toServer.bytes;
  }

  get bytesToClient(): number {
    return this.#toClient.bytes;
  }

  close(reason: VaneError): void {
    if (this.#over || this.#closing) return;
    this.#closing = true;
    this.#failure ??= reason;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(CLOSE_MS, () => this.#finish(this.#failure, true));
    for (const way of [this.#toServer, this.#toClient]) {
      if (way.frames?.between !== false) this.#tellEnd(way);
    }
    this.#finishIfComplete();
  }

  /** Says that nothing more comes; what its sender still says is read and dropped, so that nobody is reset. */
  #tellEnd(way: Way): void {
    const { from, to, toward, frames } = way;
    way.ended = true;
    from.resume();
    if (to.destroyed || to.writableEnded) return;
    if (frames && !frames.closed) to.write(goingAway(toward));
    to.end();
  }

  #listen(way: Way): void {
    const { from, to } = way;
    // Or Node would end a socket by itself as soon as its other side has.
    from.allowHalfOpen = true;
    from.on('end', () => this.#passEnd(way));
    from.on('error', (error) => this.#broke(way, messageOf(error)));
    from.on('close', () => {
      if (!from.readableEnded || !from.writableFinished) this.#broke(way, 'closed');
    });
    to.on('drain', () => {
      this.#last = this.#clock.now();
      from.resume();
    });
    to.on('finish', () => this.#finishIfComplete());
  }

  /** Starts one direction of sockets that have lived before. */
  #begin(way: Way, first: Buffer | undefined): void {
    if (way.from.destroyed) this.#broke(way, 'closed before the relay began');
    if (this.#over) return;
    if (first && first.length > 0) this.#pass(way, first);
    const reader = SocketReader.of(way.from);
    reader.sink = (bytes) => this.#pass(way, bytes);
    reader.start();
    if (way.from.readableEnded) this.#passEnd(way);
  }

  #pass(way: Way, bytes: Buffer): void {
    // Nobody is there to take them any more.
    if (way.to.destroyed || way.ended) return;
    // What is being said when all is to end is said to the end of its frame.
    const taken = way.frames?.take(bytes, this.#closing) ?? bytes.length;
    way.bytes += taken;
    this.#moved(way);
    const passed = taken === bytes.length ? bytes : bytes.subarray(0, taken);
    if (!passOn(way.to, passed)) way.from.pause();
    if (this.#closing && way.frames?.between === true) this.#tellEnd(way);
  }

  #passEnd(way: Way): void {
    if (!way.to.destroyed) {
      this.#moved(way);
      way.to.end();
    }
    this.#finishIfComplete();
  }

  #moved(way: Way): void {
    this.#last = this.#clock.now();
    this.#turn = way.toward;
  }

  /** The sender of this direction broke. */
  #broke(way: Way, why: string): void {
    if (this.#over) return;
    // Its taker has been told already that nothing more comes, and may end in its own time.
    if (way.ended) {
      this.#finishIfComplete();
      return;
    }
    this.#failure ??= brokenError(way, why);
    // Had it ended before, then what it said is whole and its taker shall have it, however slow he is.
    if (way.from.readableEnded && !way.to.destroyed) this.#linger(way.to);
    else this.#finish(this.#failure);
  }

  #linger(taker: Socket): void {
    if (this.#closing) {
      this.#finishIfComplete();
      return;
    }
    this.#idle = this.#idle > 0 ? Math.min(this.#idle, LINGER_MS) : LINGER_MS;
    this.#last = this.#clock.now();
    this.#arm();
    // What it still sends is read, so that its end is seen, and dropped.
    taker.resume();
    this.#finishIfComplete();
  }

  #finishIfComplete(): void {
    if (isComplete(this.#toServer) && isComplete(this.#toClient)) this.#finish(this.#failure);
  }

  /** The timer is not moved with every byte: when it is due it looks whether it should have been. */
  #arm(wait = this.#idle): void {
    this.#cancelTimer?.();
    this.#cancelTimer = wait > 0 ? this.#clock.after(wait, () => this.#due()) : undefined;
  }

  #due(): void {
    const left = this.#last + this.#idle - this.#clock.now();
    // Timers may fire a fraction early; a whole millisecond avoids spinning on it.
    if (left > 0) this.#arm(Math.max(1, left));
    else if (this.#failure) this.#finish(this.#failure);
    else this.#finish(silenceError(this.#turn, this.#idle), true);
  }

  /** @param gently whoever has all that was said so far is told by an end, not by a reset */
  #finish(error: VaneError | undefined, gently = false): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer?.();
    // The listeners stay: they die with the sockets.
    for (const way of [this.#toServer, this.#toClient]) {
      // A taker learns by a reset that there was more to come. One that has all is closed.
      const told = gently && (!this.#closing || way.ended);
      const hasAll = way.to.writableLength === 0 && (told || way.from.readableEnded);
      if (hasAll) way.to.destroy();
      else cut(way.to);
    }
    this.#resolve({ error, bytesToServer: this.bytesToServer, bytesToClient: this.bytesToClient });
  }
}

/** Its sender has ended, or is gone when all is to end, and all that it sent is out or has nobody to go to. */
function isComplete({ from, to, ended }: Way): boolean {
  const isOver = from.readableEnded || (ended && from.destroyed);
  return isOver && (to.destroyed || to.writableLength === 0);
}

function brokenError(way: Way, why: string): VaneError {
  return way.toward === 'server'
    ? new VaneError('CLIENT_ABORTED', `connection to the client broke: ${why}`)
    : new VaneError('UPSTREAM_CLOSED', `connection to the server broke: ${why}`);
}

function silenceError(turn: Side, idle: number): VaneError {
  const code = turn === 'client' ? 'CLIENT_TIMEOUT' : 'UPSTREAM_TIMEOUT';
  return new VaneError(code, `nothing moved for ${idle} ms, and it was the ${turn}'s turn`);
}
