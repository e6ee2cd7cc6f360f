import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BindAddress } from '../../config/runtime/binds.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import { bindSocket } from './bound-socket.ts';

/** Connections that may wait to be accepted (HAProxy: `backlog`, by default maxconn); the system caps it. */
const BACKLOG = 1_024;

/** How long connections that wait may go on being accepted at the end, ms: a machine may be slow, but not for ever. */
const ACCEPT_WAITING_MS = 2_000;

export interface ListenerOptions {
  /** See {@link bindSocket}. */
  readonly beside?: boolean;
  /** Hears why a connection could not be accepted. */
  readonly onError: (error: Error) => void;
}

/** One listening address. It outlives reloads; whom its connections belong to may change. */
export class Listener {
  readonly bind: BindAddress;
  readonly #server: Server;
  #admit: ((socket: Socket) => void) | undefined;
  /** Accepted before anyone was there to take them: the configuration is about to be, or not. */
  #early: Socket[] = [];
  #closed = false;
  #accepted = 0;

  private constructor(bind: BindAddress, server: Server, onError: (error: Error) => void) {
    this.bind = bind;
    this.#server = server;
    // Errors of accepting (no file descriptors left) pass, and must not end the process.
    server.on('error', onError);
    server.on('connection', (socket: Socket) => this.#take(socket));
  }

  /** Listens on an address. Rejects with BIND_FAILED. */
  static async open(bind: BindAddress, { beside, onError }: ListenerOptions): Promise<Listener> {
    return Listener.take(bind, (await bindSocket(bind, beside)).handle, onError);
  }

  /**
   * Listens on a socket that is bound to an address already. Rejects with BIND_FAILED.
   * @param handle what Node's `listen(handle)` takes
   */
  static take(bind: BindAddress, handle: unknown, onError: (error: Error) => void): Promise<Listener> {
    // Half-open, so that a client which has sent all it had still gets its answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    return new Promise((resolve, reject) => {
      const failed = (error: Error) =>
        reject(new VaneError('BIND_FAILED', messageOf(error), { cause: error }));
      server.once('error', failed);
      const listening = () => {
        server.off('error', failed);
        resolve(new Listener(bind, server, onError));
      };
      server.listen(handle, BACKLOG, listening);
    });
  }

  /** The port listened on; the chosen one where port 0 was asked for. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.bind.port;
  }

  /** Says who takes the connections from now on, those that wait already included. */
  serve(admit: (socket: Socket) => void): void {
    this.#admit = admit;
    for (const socket of this.#early.splice(0)) {
      socket.off('error', ignore);
      if (!socket.destroyed) admit(socket);
    }
  }

  /**
   * Accepts what waits, and then nothing more: what waits when a listener closes is reset. One connection is accepted in
   * a turn of the event loop (libuv), so that none waits any more once a whole turn has brought nothing. No more can be
   * waiting than the backlog has; others may come all the time.
   */
  async finish(clock: Clock): Promise<void> {
    const until = clock.now() + ACCEPT_WAITING_MS;
    const most = this.#accepted + BACKLOG;
    let before: number;
    do {
      before = this.#accepted;
      // From one check phase to the one after the next: in between the socket has been looked at.
      await nextTurn();
      await nextTurn();
    } while (!this.#closed && this.#accepted > before && this.#accepted < most && clock.now() < until);
    this.close();
  }

  /** Accepts nothing more; connections that somebody took stay. */
  close(): void {
    this.#closed = true;
    this.#server.close();
    for (const socket of this.#early.splice(0)) socket.destroy();
  }

  #take(socket: Socket): void {
    this.#accepted++;
    if (this.#closed) socket.destroy();
    else if (this.#admit) this.#admit(socket);
    else if (this.#early.length < BACKLOG) this.#early.push(socket.on('error', ignore));
    else socket.destroy();
  }
}

/** A connection that fails before anyone took it is nobody's loss. */
function ignore(): void {}
