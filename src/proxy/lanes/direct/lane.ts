import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import type { VaneError } from '../../../core/errors.ts';
import { Crowd } from '../../plane/crowd.ts';
import type { Lane, LaneHost } from '../host.ts';
import { ClientConnection, type LaneSite } from './client-connection.ts';
import { DateText } from './date-text.ts';

/**
 * The lane on bare sockets with parsers of our own: HTTP/1.1 and HTTP/1.0, WebSocket included, from the first byte to
 * the last. Nothing is left to another lane: what is no HTTP/1 (the preface of HTTP/2, CONNECT, TLS on a plain port)
 * is refused here as there.
 */
export class DirectLane implements Lane {
  readonly #site: LaneSite;
  readonly #connections = new Crowd<ClientConnection>();

  constructor(host: LaneHost, { clock }: { readonly clock: Clock }) {
    this.#site = { host, clock, dates: new DateText(clock) };
  }

  serve(socket: Socket): void {
    if (socket.destroyed) return;
    const connection: ClientConnection = new ClientConnection(socket, this.#site, () => {
      this.#connections.delete(connection);
    });
    this.#connections.add(connection);
  }

  hurryIdle(): void {
    for (const connection of this.#connections.all) connection.hurryIdle();
  }

  destroy(reason: VaneError): void {
    for (const connection of this.#connections.all) connection.destroy(reason);
  }
}
