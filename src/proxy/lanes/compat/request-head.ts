import type { IncomingMessage } from 'node:http';
import { type Refused, readFraming } from '../../request/strict.ts';
import { parseTarget } from '../../request/target.ts';
import type { RequestHead } from '../lane.ts';

/** How the request's body is framed: its length as the client gave it, chunks, or neither and so no body. */
export type BodyFraming = number | 'chunked' | 'none';

export interface ReadRequest {
  readonly head: RequestHead;
  readonly body: BodyFraming;
}

/**
 * Makes of what Node has parsed a head that every reader understands alike, or says why it is none.
 * @param upgrade whether it goes on as an upgrade, see {@link wantsWebSocket}
 */
export function readRequest(
  incoming: Pick<IncomingMessage, 'method' | 'url' | 'httpVersion' | 'rawHeaders'>,
  upgrade: boolean,
  secure: boolean,
): ReadRequest | Refused {
  const { method = '', url: target = '', httpVersion, rawHeaders: headers } = incoming;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return { refused: `HTTP version ${httpVersion}` };
  if (method === 'CONNECT') return { refused: 'CONNECT, but this is no forward proxy' };
  const parsed = parseTarget(method, target);
  const framing = readFraming(httpVersion, parsed, headers);
  if ('refused' in framing) return framing;
  if (parsed === undefined) return { refused: 'request-target not understood' };
  const { path } = parsed;
  const { host } = framing;
  const bodyless = framing.body === 0;
  const body = bodyless && valuesOf(headers, 'content-length').length === 0 ? 'none' : framing.body;
  return { head: { method, target, path, httpVersion, headers, host, bodyless, upgrade, secure }, body };
}

/**
 * Whether a request that asks for an upgrade is one to WebSocket. No other protocol is passed on: a server that
 * switched to h2c would speak past every rule here (h2c smuggling), and what follows a body is no tunnel yet.
 */
export function wantsWebSocket(
  incoming: Pick<IncomingMessage, 'method' | 'httpVersion' | 'rawHeaders'>,
): boolean {
  const { method, httpVersion, rawHeaders } = incoming;
  const protocols = valuesOf(rawHeaders, 'upgrade');
  return (
    method === 'GET' &&
    httpVersion === '1.1' &&
    protocols.length === 1 &&
    protocols[0]?.toLowerCase() === 'websocket' &&
    valuesOf(rawHeaders, 'transfer-encoding').length === 0 &&
    valuesOf(rawHeaders, 'content-length').every((length) => length === '0')
  );
}

/** The values of all fields of a flat list that have this name, which is in lower case. */
export function valuesOf(headers: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === name) values.push(headers[i + 1] ?? '');
  }
  return values;
}
