import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../core/clock.ts';
import type { VaneError } from '../../../core/errors.ts';
import { http } from '../../../core/http.ts';
import { MAX_HEAD_BYTES } from '../../request/strict.ts';
import type { Lane, LaneHost } from '../host.ts';
import { type Arrival, ClientConnection } from './client-connection.ts';
import { wantsWebSocket } from './request-head.ts';

/**
 * The lane on Node's own parser, with http-proxy-3 making the requests to servers. The HTTP server in it never
 * listens: connections are handed to it. All its timers are off; ours hold.
 */
export class CompatLane implements Lane {
  readonly #host: LaneHost;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, ClientConnection>();
  /** Requests for upgrades that are served as any others. */
  readonly #declined = new WeakSet<IncomingMessage>();

  constructor(host: LaneHost, { clock }: { readonly clock: Clock }) {
    this.#host = host;
    this.#clock = clock;
    this.#server = http.createServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      insecureHTTPParser: false,
      // Ours to refuse, so that the host hears of it.
      requireHostHeader: false,
      requestTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 0,
      shouldUpgradeCallback: (incoming) => this.#mayUpgrade(incoming),
    });
    this.#server.timeout = 0;
    // Node would drop what is above the limit without a word, and we would decide about another request.
    this.#server.maxHeadersCount = 0;
    // A client that has ended its side after a whole request still gets its answer. Not among Node's types.
    Reflect.set(this.#server, 'httpAllowHalfOpen', true);
    this.#listen();
  }

  serve(socket: Socket): void {
    if (socket.destroyed) return;
    this.#server.emit('connection', socket);
    const forget = () => this.#connections.delete(socket);
    this.#connections.set(socket, new ClientConnection(socket, this.#host, this.#clock, forget));
  }

  hurryIdle(): void {
    for (const connection of this.#connections.values()) connection.hurryIdle();
  }

  destroy(reason: VaneError): void {
    for (const connection of [...this.#connections.values()]) connection.destroy(reason);
  }

  #listen(): void {
    const server = this.#server;
    const request = (expectation: Arrival['expectation']) => {
      return (incoming: IncomingMessage, response: ServerResponse) =>
        this.#arrived({ incoming, response, ...(expectation && { expectation }) });
    };
    server.on('request', request(undefined));
    server.on('checkContinue', request('continue'));
    server.on('checkExpectation', request('unknown'));
    server.on('upgrade', (incoming, _socket, first) => this.#arrived({ incoming, first }));
    // Refused like any other target that is not ours to serve.
    server.on('connect', (incoming) => this.#arrived({ incoming }));
    server.on('clientError', (error, socket) => this.#connections.get(socket)?.unparsable(error));
  }

  #mayUpgrade(incoming: IncomingMessage): boolean {
    const may = wantsWebSocket(incoming);
    if (!may) this.#declined.add(incoming);
    return may;
  }

  #arrived(arrival: Arrival): void {
    const { incoming } = arrival;
    // Node's parser loses what it has read behind an upgrade that is declined.
    const last = this.#declined.has(incoming);
    this.#connections.get(incoming.socket)?.arrived({ ...arrival, last });
  }
}
