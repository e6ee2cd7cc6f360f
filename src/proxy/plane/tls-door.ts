import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { TlsBind } from '../../config/runtime/binds.ts';

export interface TlsDoorOptions {
  readonly tls: TlsBind;
  /** From the connection to the end of the handshake, ms. */
  readonly timeout: number;
  /** Takes connections once they are encrypted. */
  readonly admit: (socket: TLSSocket) => void;
  /** Hears why a client and Vane could not agree; its connection is gone by then. */
  readonly failed: (error: Error) => void;
}

/**
 * Does the TLS handshakes of one address. Connections are put into it as they were accepted, and come out encrypted.
 * Those that are at it are the accepted sockets' owner's to end.
 */
export class TlsDoor {
  readonly #server: Server;

  constructor({ tls, timeout, admit, failed }: TlsDoorOptions) {
    const { minVersion, alpn } = tls;
    const [first, ...others] = tls.certificates;
    // Never listens: sockets of the frontend's listener are put into it.
    this.#server = createServer({
      cert: first?.chain,
      key: first?.key,
      minVersion,
      handshakeTimeout: timeout,
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
    });
    // Of several that are for a name Node takes the last that was added, and a user expects the first.
    for (const { names, chain: cert, key } of [...(first ? [first] : []), ...others].reverse()) {
      for (const name of names) this.#server.addContext(name, { cert, key, minVersion });
    }
    this.#server.on('secureConnection', admit);
    this.#server.on('tlsClientError', (error, socket) => {
      socket.destroy();
      failed(error);
    });
  }

  /** @param key see {@link Server.setTicketKeys} */
  setTicketKey(key: Uint8Array): void {
    this.#server.setTicketKeys(Buffer.from(key));
  }

  take(socket: Socket): void {
    this.#server.emit('connection', socket);
  }
}
