import type { Refused } from '../../request/strict.ts';
import { valuesOf } from './request-head.ts';

/** What a server said first, as the client gets it. */
export interface ResponseHead {
  /** End-to-end fields and Content-Length, in their order and case. Flat: name, then value. */
  readonly headers: string[];
  /** No body follows, whatever the fields say. */
  readonly bodyless: boolean;
  /** Its end is known without closing the connection. */
  readonly framed: boolean;
  /** A body is announced that must not be there: what comes next on the connection is anyone's guess. */
  readonly contradictory: boolean;
}

interface RawResponse {
  readonly status: number;
  readonly httpVersion: string;
  /** Flat: name, then value. */
  readonly headers: readonly string[];
}

/** Fields about the connection to the server or the message on it (RFC 9110, section 7.6.1): never passed on. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What a server cannot have removed by naming it in Connection: framing, meaning and protection of the answer. */
const PROTECTED: ReadonlySet<string> = new Set([
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-security-policy',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'set-cookie',
  'strict-transport-security',
  'vary',
  'www-authenticate',
]);

/** What a trailer section must not say: it comes too late to be heeded (RFC 9110, section 6.5.1). */
const NO_TRAILER: ReadonlySet<string> = new Set([...HOP_BY_HOP, ...PROTECTED, 'host', 'authorization']);

/**
 * Reads the head of a server's final answer to a request made with `method`. Refuses what two readers could frame
 * differently, whatever the parser before it let through (RFC 9112, section 6).
 */
export function readResponseHead(method: string, response: RawResponse): ResponseHead | Refused {
  const { status, httpVersion, headers } = response;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return { refused: `HTTP version ${httpVersion}` };
  if (status < 200) return { refused: `status ${status} that nobody asked for` };
  const lengths = valuesOf(headers, 'content-length');
  const codings = valuesOf(headers, 'transfer-encoding');
  if (lengths.length > 1) return { refused: 'more than one Content-Length' };
  if (codings.length > 0) {
    if (lengths.length > 0) return { refused: 'both Content-Length and Transfer-Encoding' };
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') {
      return { refused: 'Transfer-Encoding is not chunked' };
    }
    if (httpVersion === '1.0') return { refused: 'Transfer-Encoding before HTTP/1.1' };
  }
  const bodyless = method === 'HEAD' || status === 204 || status === 304;
  const announced = codings.length > 0 || (lengths[0] ?? '0') !== '0';
  return {
    headers: endToEnd(headers, status === 204),
    bodyless,
    framed: bodyless || lengths.length > 0,
    contradictory: status === 204 && announced,
  };
}

/** The fields of an interim answer (1xx) that go on to the client: it has neither body nor length. */
export function interimHeaders(headers: readonly string[]): string[] {
  return endToEnd(headers, true);
}

/** The trailer fields that may go on to the client. */
export function endToEndTrailers(trailers: readonly string[]): [name: string, value: string][] {
  const kept: [string, string][] = [];
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    const name = trailers[i] ?? '';
    if (!NO_TRAILER.has(name.toLowerCase())) kept.push([name, trailers[i + 1] ?? '']);
  }
  return kept;
}

function endToEnd(headers: readonly string[], lengthless: boolean): string[] {
  const listed = connectionOptions(headers);
  // Node recodes a Content-Disposition that comes after a Content-Length, and so spoils its octets.
  const lengthLast = valuesOf(headers, 'content-disposition').length > 0;
  const kept: string[] = [];
  const last: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || (listed.has(lower) && !PROTECTED.has(lower))) continue;
    if (lower === 'content-length' && lengthless) continue;
    if (lower === 'content-length' && lengthLast) last.push(name, value);
    else kept.push(name, value);
  }
  return kept.concat(last);
}

function connectionOptions(headers: readonly string[]): ReadonlySet<string> {
  const values = valuesOf(headers, 'connection').flatMap((value) => value.split(','));
  return new Set(values.map((option) => option.trim().toLowerCase()));
}
