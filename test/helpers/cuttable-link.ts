import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A way to a server of 127.0.0.1 that can be cut as a cable is: nothing gets through and nobody is told, neither on
 * connections that there are nor on those that are tried meanwhile. When it is mended what had been sent arrives.
 */
export class CuttableLink {
  readonly #to: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #refuses = false;

  private constructor(to: number) {
    this.#to = to;
    // Nothing is read before the far side is there.
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.#join(socket),
    );
  }

  static async open(to: number): Promise<CuttableLink> {
    const link = new CuttableLink(to);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Ends all connections, and any that is tried until it is mended, so that everybody knows at once. */
  refuse(): void {
    this.#refuses = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
    this.#refuses = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(near: Socket): void {
    if (this.#refuses) {
      near.destroy();
      return;
    }
    const far = connect({ host: '127.0.0.1', port: this.#to, allowHalfOpen: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('data', (bytes) => other.write(bytes));
      one.on('end', () => other.end());
      one.on('error', () => other.resetAndDestroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        if (!this.#isCut) other.destroySoon();
      });
      if (this.#isCut) one.pause();
      else one.resume();
    }
  }
}
