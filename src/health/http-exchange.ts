import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Socket } from 'node:net';
import type { ServerTls } from '../config/runtime/servers.ts';
import { messageOf } from '../core/errors.ts';
import { http } from '../core/http.ts';
import { Tail } from './output.ts';
import { tlsOptions } from './tls-options.ts';

/** One request on a connection of its own. */
export interface ExchangeRequest {
  /** Undefined: in the clear. */
  readonly tls: ServerTls | undefined;
  /** Name or address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
  /** Bytes of the body kept, from its end. */
  readonly keepBytes: number;
  /** Bytes of the body read before hanging up; 0: only the head is of interest. */
  readonly readBytes: number;
  /** Addresses that must not be connected to. */
  readonly refuses: (address: string) => boolean;
}

export type ExchangeResult =
  | {
      readonly ok: true;
      readonly status: number;
      readonly reason: string;
      readonly location: string | undefined;
      readonly body: Tail;
    }
  | {
      readonly ok: false;
      /** HAProxy's code for where it went wrong. */
      readonly code: 'L4CON' | 'L4TOUT' | 'L6RSP' | 'L6TOUT' | 'L7RSP' | 'L7TOUT' | 'SOCKERR';
      readonly error: Error;
    };

/**
 * Sends one request and reads its answer: no redirects, no connection kept. Never rejects. Once the head has
 * come the answer counts, even if the body breaks off or `signal` ends it.
 */
export function exchange(request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeResult> {
  return new Promise((resolve) => {
    let reached: 'nothing' | 'tcp' | 'tls' = 'nothing';
    let answered: (() => void) | undefined;
    const failed = (error: Error) => {
      if (answered) return answered();
      resolve({
        ok: false,
        code: failureCode(error, reached, request.tls !== undefined, signal.aborted),
        error,
      });
    };
    if (signal.aborted) return failed(new Error('aborted'));

    let outgoing: ReturnType<typeof http.request>;
    try {
      if (request.refuses(request.host)) throw new Error(`${request.host} is not an address to be checked`);
      outgoing = (request.tls ? requestTls : http.request)({
        host: request.host,
        port: request.port,
        method: request.method,
        path: request.path,
        headers: request.headers,
        agent: false,
        signal,
        ...(request.tls && tlsOptions(request.tls)),
      });
    } catch (thrown) {
      return failed(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
    }

    outgoing.on('socket', (socket: Socket) => {
      socket.once('connect', () => {
        reached = 'tcp';
      });
      socket.once('secureConnect', () => {
        reached = 'tls';
      });
      socket.on('lookup', (_error: Error | null, address: string | undefined) => {
        if (address !== undefined && request.refuses(address)) {
          outgoing.destroy(new Error(`${request.host} leads to ${address}, which is not to be checked`));
        }
      });
    });
    outgoing.on('response', (incoming) => {
      const body = new Tail(request.keepBytes);
      answered = () => {
        outgoing.destroy();
        resolve({
          ok: true,
          status: incoming.statusCode ?? 0,
          reason: incoming.statusMessage ?? '',
          location: incoming.headers.location,
          body,
        });
      };
      if (request.readBytes === 0) answered();
      else readBody(incoming, body, request.readBytes, answered);
    });
    outgoing.on('error', failed);
    // An answer that is not one (101, a tunnel) closes without 'response' or 'error'.
    outgoing.on('close', () => failed(new Error('the connection was closed without a response')));
    outgoing.end(request.body);
  });
}

function readBody(incoming: IncomingMessage, into: Tail, most: number, done: () => void): void {
  incoming.on('data', (chunk: Buffer) => {
    into.write(chunk);
    if (into.written >= most) done();
  });
  // 'close' follows the end as well as any way of breaking off; the error adds nothing to the head's verdict.
  incoming.on('error', () => {});
  incoming.on('close', done);
}

function failureCode(error: Error, reached: 'nothing' | 'tcp' | 'tls', secure: boolean, timedOut: boolean) {
  if (reached === 'nothing') return timedOut ? 'L4TOUT' : 'L4CON';
  if (secure && reached === 'tcp') return timedOut ? 'L6TOUT' : 'L6RSP';
  if (timedOut) return 'L7TOUT';
  const { errno }: NodeJS.ErrnoException = error;
  return errno === undefined ? 'L7RSP' : 'SOCKERR';
}
