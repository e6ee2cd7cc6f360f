import { frameOf } from '../../request/strict.ts';
import { parseTarget } from '../../request/target.ts';
import { type BodyFraming, wantsWebSocket } from '../compat/request-head.ts';
import type { RequestHead } from '../lane.ts';
import { readConnectionOptions } from './connection-options.ts';
import type { HeadParser } from './head-parser.ts';

/** A request as it is understood, and what it says about its connection. */
export interface IncomingRequest {
  readonly head: RequestHead;
  readonly framing: BodyFraming;
  /** Another request may follow it. */
  readonly persistent: boolean;
  /** The client waits for a 100 before it sends the body (RFC 9110, section 10.1.1). */
  readonly expects: boolean;
  /** The client asks for another protocol: what follows on its connection need not be HTTP, granted or not. */
  readonly switches: boolean;
}

/** Why it is no request, and the status to say so. */
export interface NoRequest {
  readonly status: number;
  readonly refused: string;
}

/** As Node looks for it. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/** Makes of a head that was parsed a request that every reader understands alike. */
export function readIncoming(parsed: HeadParser, secure: boolean): IncomingRequest | NoRequest {
  const { method, target, httpVersion, headers } = parsed;
  if (method === 'CONNECT') return { status: 400, refused: 'CONNECT, but this is no forward proxy' };
  const parts = parseTarget(method, target);
  const framing = frameOf(httpVersion, parts, headers);
  if ('refused' in framing) return { status: 400, refused: framing.refused };
  if (!parts) return { status: 400, refused: 'request-target not understood' };
  const options = readConnectionOptions(httpVersion, headers);
  // Of clients of HTTP/1.0 it means nothing.
  const expects = httpVersion === '1.1' && options.expectations.length > 0;
  if (expects && !CONTINUE.test(options.expectations.join(', '))) {
    return { status: 417, refused: 'Expect is not 100-continue' };
  }
  const { upgrade: switches } = options;
  const upgrade = switches && wantsWebSocket({ method, httpVersion, rawHeaders: headers });
  const { path } = parts;
  const { host, body } = framing;
  const bodyless = body === 0;
  return {
    head: { method, target, path, httpVersion, headers, host, bodyless, upgrade, secure },
    framing: bodyless && !options.hasLength ? 'none' : body,
    persistent: options.persistent && !switches,
    expects,
    switches,
  };
}
