import { createServer, type Server, type Socket } from 'node:net';
import type { BindAddress } from '../../config/runtime/binds.ts';
import { messageOf, VaneError } from '../../core/errors.ts';

/** Connections that may wait to be accepted (HAProxy: `backlog`, by default maxconn); the system caps it. */
const BACKLOG = 1_024;

export interface ListenerOptions {
  readonly listenOn: BindAddress | GivenSocket;
  /** Hears why a connection could not be accepted. */
  readonly onError: (error: Error) => void;
}

/** A TCP socket that another process has bound and passed on: what Node's `listen(handle)` takes. */
export class GivenSocket {
  readonly handle: unknown;

  constructor(handle: unknown) {
    this.handle = handle;
  }
}

/** One listening address. It outlives reloads; whom its connections belong to may change. */
export class Listener {
  readonly bind: BindAddress;
  readonly #server: Server;
  #admit: ((socket: Socket) => void) | undefined;
  /** Accepted before anyone was there to take them: the configuration is about to be, or not. */
  #early: Socket[] = [];
  #closed = false;
  /** Connections accepted so far. */
  accepted = 0;

  private constructor(bind: BindAddress, server: Server, onError: (error: Error) => void) {
    this.bind = bind;
    this.#server = server;
    // Errors of accepting (no file descriptors left) pass, and must not end the process.
    server.on('error', onError);
    server.on('connection', (socket: Socket) => this.#take(socket));
  }

  /** Listens on an address, or on a socket that is bound to it already. Rejects with BIND_FAILED. */
  static open(bind: BindAddress, { listenOn, onError }: ListenerOptions): Promise<Listener> {
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
      if (listenOn instanceof GivenSocket) server.listen(listenOn.handle, BACKLOG, listening);
      else server.listen({ ...listenOn, backlog: BACKLOG, exclusive: true }, listening);
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

  /** Accepts nothing more; connections that somebody took stay. */
  close(): void {
    this.#closed = true;
    this.#server.close();
    for (const socket of this.#early.splice(0)) socket.destroy();
  }

  #take(socket: Socket): void {
    this.accepted++;
    if (this.#closed) socket.destroy();
    else if (this.#admit) this.#admit(socket);
    else if (this.#early.length < BACKLOG) this.#early.push(socket.on('error', ignore));
    else socket.destroy();
  }
}

/** A connection that fails before anyone took it is nobody's loss. */
function ignore(): void {}
