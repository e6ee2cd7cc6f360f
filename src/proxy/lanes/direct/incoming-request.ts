import { type BodyFraming, readRequest, wantsWebSocket } from '../compat/request-head.ts';
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
  const { method, target: url, httpVersion, headers: rawHeaders } = parsed;
  const options = readConnectionOptions(httpVersion, rawHeaders);
  const incoming = { method, url, httpVersion, rawHeaders };
  const upgrade = options.upgrade && wantsWebSocket(incoming);
  const read = readRequest(incoming, upgrade, secure);
  if ('refused' in read) return { status: 400, refused: read.refused };
  // Of clients of HTTP/1.0 it means nothing.
  const expects = httpVersion === '1.1' && options.expectations.length > 0;
  if (expects && !CONTINUE.test(options.expectations.join(', '))) {
    return { status: 417, refused: 'Expect is not 100-continue' };
  }
  const { upgrade: switches } = options;
  const persistent = options.persistent && !switches;
  return { head: read.head, framing: read.body, persistent, expects, switches };
}
