import type { ClientRequest, IncomingMessage, InformationEvent } from 'node:http';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { createProxyServer } from 'http-proxy-3';
import { VaneError } from '../../../core/errors.ts';
import { http } from '../../../core/http.ts';
import { OneSocketAgent } from './agent.ts';

/** A request to one server over a connection that is open. */
export interface OutgoingRequest {
  readonly socket: Socket;
  readonly server: { readonly address: string; readonly port: number };
  readonly method: string;
  /** The request-target, sent byte for byte. */
  readonly target: string;
  /** All fields, framing included. */
  readonly headers: Readonly<Record<string, string[]>>;
  /** Piped into the request; ends it when it ends. */
  readonly body: Readable;
}

export interface OutgoingEvents {
  /** The head of the final answer. Its body is to be read. */
  onResponse(message: IncomingMessage): void;
  /** The server switches protocols; `first` came behind its head. The socket carries no listener of Node's. */
  onUpgrade(message: IncomingMessage, first: Buffer): void;
  /** An interim answer. */
  onInformation(information: InformationEvent): void;
  /** The connection broke, or what came over it is no HTTP. May be told more than once. */
  onError(error: Error): void;
  /** Request and answer are over and the connection may be used again. It carries no listener of Node's. */
  onFree(): void;
}

const proxy = createProxyServer({ xfwd: false });
/** Stands in for the client's connection, which http-proxy-3 is not to touch. Never opened. */
const nowhere = new Socket();

/**
 * Makes a request by http-proxy-3, which sees nothing of the client: what it would do to the client's request and
 * response — drop the framing of bodies (GHSA-ggv3-7p47-pfv8), rewrite targets, leave listeners behind at each
 * attempt, forget an answer that breaks off — it does to stand-ins, or has been taken over by us.
 *
 * @throws what Node finds wrong with method, target or fields; nothing was sent then
 */
export function sendOutgoing(request: OutgoingRequest, events: OutgoingEvents): ClientRequest {
  const { socket, server, method, target, headers, body } = request;
  const view = new http.IncomingMessage(nowhere);
  // Its pass for DELETE and OPTIONS drops Transfer-Encoding, so it is shown another method.
  view.method = 'GET';
  view.url = '/';
  const agent = new OneSocketAgent(socket, (made) => prepare(made, request, events));
  const failed = (error: Error) => events.onError(error);
  proxy.web(
    view,
    new http.ServerResponse(view),
    {
      target: { protocol: 'http:', host: server.address, port: server.port },
      agent,
      method,
      headers,
      buffer: body,
      selfHandleResponse: true,
      toProxy: true,
    },
    failed,
  );
  if (!agent.request) throw new VaneError('INTERNAL', `no request was made for ${method} ${target}`);
  return agent.request;
}

function prepare(made: ClientRequest, request: OutgoingRequest, events: OutgoingEvents): void {
  const { socket, target, headers } = request;
  // It joins targets with its own path and so changes `//a?b&&c` and `*`.
  made.path = target;
  // Fields beyond a limit would be dropped without a word; the size of the head is limited.
  made.maxHeadersCount = 0;
  // What was not given is not wanted: Node would add a length or chunks to methods it thinks have bodies.
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  for (const name of ['content-length', 'transfer-encoding']) if (!given.has(name)) made.removeHeader(name);
  made.on('response', (message) => events.onResponse(message));
  made.on('upgrade', (message, _socket, first) => events.onUpgrade(message, first));
  made.on('information', (information) => events.onInformation(information));
  // Between Node's last listener and the next owner's first, and after we have destroyed it.
  const ignore = () => {};
  socket.on('error', ignore);
  socket.once('free', () => {
    socket.off('error', ignore);
    events.onFree();
  });
}
