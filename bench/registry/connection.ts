import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Told {
  readonly status: number;
  /** X-Consul-Index, 0 without. */
  readonly index: number;
  /** When the last byte came, ms of performance.now(). */
  readonly at: number;
}

interface Waiting {
  readonly resolve: (told: Told) => void;
  readonly reject: (error: Error) => void;
}

/** One buffer for all: each chunk is read before the next one comes. */
const BUFFER = Buffer.allocUnsafeSlow(256 * 1024);
const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * A keep-alive connection to the registry's API that costs its owner as little as possible: one request at a time, and
 * of an answer only its status, its index and where it ends.
 */
export class Connection {
  readonly #socket: Socket;
  #waiting: Waiting | undefined;
  #status = 0;
  #index = 0;
  /** Bytes of the body that are still to come; undefined: the head is not there yet. */
  #left: number | undefined;
  #head: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @param from an address of this machine that the connection comes from */
  static async open(port: number, from = '127.0.0.1'): Promise<Connection> {
    let connection: Connection | undefined;
    const onread = {
      buffer: BUFFER,
      callback: (length: number) => {
        connection?.take(BUFFER.subarray(0, length));
        return true;
      },
    };
    const socket = connect({ host: '127.0.0.1', port, localAddress: from, noDelay: true, onread });
    connection = new Connection(socket);
    await once(socket, 'connect');
    const made = connection;
    socket.on('error', (error) => made.#fail(error));
    socket.on('close', () => made.#fail(new Error('the connection was closed')));
    return made;
  }

  /** Resolves to the answer; rejects when the connection breaks or is broken. */
  async send(method: 'GET' | 'PUT', path: string, body = ''): Promise<Told> {
    if (this.#socket.destroyed) throw new Error('the connection was closed before the request');
    const length = method === 'PUT' ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : '';
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${length}\r\n${body}`);
    });
  }

  /** The same for what must be a 200. */
  async expect(method: 'GET' | 'PUT', path: string, body = ''): Promise<Told> {
    const told = await this.send(method, path, body);
    if (told.status !== 200) throw new Error(`${method} ${path}: status ${told.status}`);
    return told;
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  take(chunk: Buffer): void {
    if (this.#left !== undefined) {
      this.#left -= chunk.length;
    } else {
      const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) {
        this.#head = Buffer.from(bytes);
        return;
      }
      this.#head = Buffer.alloc(0);
      const head = bytes.toString('latin1', 0, end);
      this.#status = Number(head.slice(9, 12));
      this.#index = Number(/\r\nX-Consul-Index: (\d+)/i.exec(head)?.[1] ?? 0);
      const length = Number(/\r\nContent-Length: (\d+)/i.exec(head)?.[1] ?? 0);
      this.#left = length - (bytes.length - end - HEAD_END.length);
    }
    if (this.#left > 0) return;
    this.#left = undefined;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: this.#status, index: this.#index, at: performance.now() });
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
