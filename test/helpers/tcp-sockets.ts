import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'vitest';
import { eventually } from './eventually.ts';
import { settle } from './fake-clock.ts';

/** Servers and sockets of one test file: `close()` in `afterEach` ends all of them. */
export class TcpBench {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /** A listener on loopback whose connections may be half-closed, none of which ever throws. */
  listen(onConnection: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
    return this.accept((socket) => onConnection(this.keep(socket)));
  }

  /** A listener on loopback that leaves its connections, which may be half-closed, to whoever takes them. */
  async accept(onConnection: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      onConnection(socket);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return { port: (server.address() as AddressInfo).port, server };
  }

  /** A connection that may be half-closed. */
  async dial(port: number, host = '127.0.0.1'): Promise<Socket> {
    const socket = this.keep(connect({ port, host, allowHalfOpen: true }));
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  }

  /** Both ends of one connection. `ours` carries no listener. */
  async pair(): Promise<{ ours: Socket; theirs: Socket }> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const { port, server } = await this.accept(resolve);
    const theirs = await this.dial(port);
    const ours = await promise;
    server.close();
    return { ours, theirs };
  }

  keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    return socket.on('error', () => {});
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    await Promise.all(this.#servers.splice(0).map((server) => new Promise((done) => server.close(done))));
  }
}

/** What became of a connection: everything it said, and how it ended. */
export class Heard {
  readonly #hash: Hash = createHash('sha256');
  /** The first bytes. */
  text = '';
  bytes = 0;
  ended = false;
  closed = false;
  error: string | undefined;
  #digest: string | undefined;

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#hash.update(chunk);
      this.bytes += chunk.length;
      if (this.text.length < 1_000) this.text += chunk.toString('latin1');
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error ??= error.code;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  get digest(): string {
    this.#digest ??= this.#hash.digest('hex');
    return this.#digest;
  }
}

/** Sends so many bytes that nobody could guess, as fast as they are taken; resolves with their digest. */
export async function sendMuch(socket: Socket, total: number): Promise<string> {
  const hash = createHash('sha256');
  const stock = randomBytes(1_048_576);
  for (let sent = 0; sent < total; ) {
    // Another part of the stock each time, so that lost, doubled or swapped parts show.
    const from = (sent * 31) % 65_521;
    const chunk = stock.subarray(from, from + Math.min(100_000, total - sent));
    hash.update(chunk);
    sent += chunk.length;
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
  }
  return hash.digest('hex');
}

/** Counts this process's sockets; the returned function waits until there are no more of them than before. */
export async function noSocketLeft(): Promise<() => Promise<void>> {
  // Those of an earlier test count until their closing is complete.
  await settle();
  const before = openSockets();
  return () => eventually(() => expect(openSockets()).toBeLessThanOrEqual(before));
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}
