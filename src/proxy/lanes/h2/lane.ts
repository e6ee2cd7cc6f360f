import type { ServerOptions } from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../../core/clock.ts';
import type { VaneError } from '../../../core/errors.ts';
import { Crowd } from '../../plane/crowd.ts';
import { MAX_HEAD_BYTES } from '../../request/strict.ts';
import type { Lane, LaneHost } from '../host.ts';
import { type ConnectionSite, H2Connection, STREAM_WINDOW } from './connection.ts';

/**
 * Fields of a request at most, before the pieces of its Cookie are put together: browsers send one field for each
 * cookie. More are refused by a reset of the stream.
 */
const MAX_PIECES = 256;
/** Frames that mean nothing or are not allowed, until the connection is ended for them. */
const MAX_INVALID_FRAMES = 100;
/** Streams beyond the limit, until the connection is ended for them. */
const MAX_REJECTED_STREAMS = 100;

/** Whether the client has agreed on HTTP/2 while the connection was encrypted (RFC 9113, section 3.2). */
export function speaksH2(socket: Socket): boolean {
  return socket instanceof TLSSocket && socket.alpnProtocol === 'h2';
}

/**
 * The lane for HTTP/2 from clients, on Node's own implementation (nghttp2). Each stream is an exchange of its own; what
 * goes to servers is HTTP/1.1, and is the direct lane's work. Clients agree on it over TLS, or just speak it. WebSockets over HTTP/2 (RFC 8441) are not offered.
 */
export class H2Lane implements Lane {
  readonly #site: ConnectionSite;
  readonly #connections = new Crowd<H2Connection>();

  /** @param maxStreams streams at once that a new connection may have */
  constructor(host: LaneHost, { clock }: { readonly clock: Clock }, maxStreams: () => number) {
    this.#site = { host, clock, options: () => optionsFor(maxStreams()) };
  }

  serve(socket: Socket): void {
    if (socket.destroyed) return;
    const connection: H2Connection = new H2Connection(socket, this.#site, () => {
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

function optionsFor(maxConcurrentStreams: number): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams,
      maxHeaderListSize: MAX_HEAD_BYTES,
      initialWindowSize: STREAM_WINDOW,
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: MAX_PIECES,
    maxSessionInvalidFrames: MAX_INVALID_FRAMES,
    maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
    // Fields that servers repeat are passed on as they came.
    strictSingleValueFields: false,
  };
}
