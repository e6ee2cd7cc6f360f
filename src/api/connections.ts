import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * The server's client connections: counted per address, so that one client cannot take them all, and known to be
 * busy or not, so that a graceful stop ends exactly those that wait for nothing.
 */
export class Connections {
  readonly #perClient: number;
  readonly #requests = new Map<Socket, number>();
  readonly #clients = new Map<string, number>();

  constructor(perClient: number) {
    this.#perClient = perClient;
  }

  watch(server: Server): void {
    server.on('connection', (socket) => this.#admit(socket));
  }

  /** A request begins on this connection; call the returned function when it has been answered. */
  begin(socket: Socket): () => void {
    this.#add(socket, 1);
    return () => this.#add(socket, -1);
  }

  /** Ends every connection on which no request is running. */
  endIdle(): void {
    for (const [socket, requests] of this.#requests) if (requests === 0) socket.destroy();
  }

  #add(socket: Socket, change: number): void {
    const requests = this.#requests.get(socket);
    if (requests !== undefined) this.#requests.set(socket, requests + change);
  }

  #admit(socket: Socket): void {
    const client = socket.remoteAddress ?? '';
    const open = (this.#clients.get(client) ?? 0) + 1;
    this.#clients.set(client, open);
    this.#requests.set(socket, 0);
    socket.once('close', () => {
      this.#requests.delete(socket);
      const left = (this.#clients.get(client) ?? 1) - 1;
      if (left > 0) this.#clients.set(client, left);
      else this.#clients.delete(client);
    });
    if (open > this.#perClient) refuse(socket);
  }
}

/** Answered before anything was asked, as Consul does it. */
function refuse(socket: Socket): void {
  const words = 'Your IP is issuing too many concurrent connections, please rate limit your calls\n';
  socket.write(
    'HTTP/1.1 429 Too Many Requests\r\n' +
      'Content-Type: text/plain\r\n' +
      `Content-Length: ${words.length}\r\n` +
      'Connection: close\r\n' +
      `\r\n${words}`,
  );
  socket.destroySoon();
}
