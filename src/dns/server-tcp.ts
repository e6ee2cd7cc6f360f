import { createServer, type Server, type Socket } from 'node:net';
import type { Cancel } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { frame, MessageReader } from './framing.ts';
import type { ListenerContext } from './listener.ts';

/** Answers queries on TCP connections, any number on each, one after the other (RFC 7766). */
export class TcpListener {
  readonly #context: ListenerContext;
  /** The one that has been silent the longest comes first. */
  readonly #connections = new Map<Socket, Connection>();
  #server: Server | undefined;

  constructor(context: ListenerContext) {
    this.#context = context;
  }

  /** Resolves to the port. */
  listen(host: string, port: number): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        server.on('error', (error) => {
          this.#context.log.warn({ error: messageOf(error) }, 'dns tcp listener failed');
        });
        const bound = server.address();
        resolve(bound !== null && typeof bound === 'object' ? bound.port : port);
      });
    });
  }

  /** Lets replies that are written leave until `deadline`, then cuts what is left. */
  async close(deadline: number): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#connections.keys()) socket.destroySoon();
    const { clock } = this.#context;
    const cancel = clock.after(deadline - clock.now(), () => {
      for (const socket of this.#connections.keys()) socket.destroy();
    });
    await closed;
    cancel();
  }

  #accept(socket: Socket): void {
    const { options } = this.#context;
    if (this.#connections.size >= options.tcpMaxConnections) {
      for (const oldest of this.#connections.keys()) {
        this.#connections.delete(oldest);
        oldest.destroy();
        break;
      }
    }
    const connection = new Connection(socket, this.#context, () => {
      if (!this.#connections.delete(socket)) return;
      this.#connections.set(socket, connection);
    });
    this.#connections.set(socket, connection);
    socket.on('close', () => {
      this.#connections.delete(socket);
      connection.end();
    });
  }
}

/** One peer. Holds at most what one read brought (64 KiB) and the replies the peer has not taken yet. */
class Connection {
  readonly #socket: Socket;
  readonly #context: ListenerContext;
  readonly #onQuery: () => void;
  readonly #pending: Buffer[] = [];
  #blocked = false;
  #cancelIdle: Cancel = () => {};

  constructor(socket: Socket, context: ListenerContext, onQuery: () => void) {
    this.#socket = socket;
    this.#context = context;
    this.#onQuery = onQuery;
    const reader = new MessageReader((message) => this.#pending.push(message));
    // A peer that goes away ends its own connection and nothing else.
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      reader.push(chunk);
      this.#work();
    });
    socket.on('drain', () => {
      this.#blocked = false;
      this.#work();
    });
    this.#waitForQuery();
  }

  end(): void {
    this.#cancelIdle();
    this.#pending.length = 0;
  }

  #waitForQuery(): void {
    const { clock, options } = this.#context;
    this.#cancelIdle();
    this.#cancelIdle = clock.after(options.tcpIdleTimeout, () => this.#socket.destroy());
  }

  /** Answers until a peer that does not read its replies has to: it may not send more queries meanwhile. */
  #work(): void {
    while (!this.#blocked && this.#socket.writable) {
      const message = this.#pending.shift();
      if (!message) break;
      this.#answer(message);
    }
    if (this.#blocked) this.#socket.pause();
    else this.#socket.resume();
  }

  #answer(message: Buffer): void {
    const reply = this.#context.respond(message, 'tcp');
    if (!(reply instanceof Promise)) {
      this.#send(reply);
      return;
    }
    // One at a time: what else the peer asks waits for this one.
    this.#blocked = true;
    this.#cancelIdle();
    reply.then((later) => {
      this.#blocked = false;
      if (!this.#socket.writable) return;
      this.#send(later);
      this.#work();
    });
  }

  #send(reply: Buffer | undefined): void {
    if (!reply) {
      // Not a query at all: nothing after it in this stream can be trusted to start where it should.
      this.#socket.destroy();
      return;
    }
    this.#onQuery();
    this.#waitForQuery();
    this.#blocked = !this.#socket.write(frame(reply));
  }
}
