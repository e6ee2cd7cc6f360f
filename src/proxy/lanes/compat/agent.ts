import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';

/**
 * What Node's requests want of an agent, for one request over a connection that is open already. Pools and their
 * limits are the plane's: none of Node's own agent is used.
 */
export class OneSocketAgent {
  /** Set once the request exists. */
  request: ClientRequest | undefined;
  // Node reads these. With keepAlive it leaves the connection open after the answer and emits `free` on it.
  readonly keepAlive = true;
  readonly protocol = 'http:';
  readonly defaultPort = 80;
  readonly #socket: Socket;
  readonly #prepare: (request: ClientRequest) => void;

  /** @param prepare gets the request before any of it is rendered or sent */
  constructor(socket: Socket, prepare: (request: ClientRequest) => void) {
    this.#socket = socket;
    this.#prepare = prepare;
  }

  /** Called by Node when the request has been made. */
  addRequest(request: ClientRequest): void {
    this.#prepare(request);
    this.request = request;
    request.onSocket(this.#socket);
  }
}
