import { MAX_HEAD_BYTES, type Refused, readFraming } from '../../request/strict.ts';
import { parseTarget } from '../../request/target.ts';
import { type BodyFraming, valuesOf } from '../compat/request-head.ts';
import type { NoRequest } from '../direct/incoming-request.ts';
import type { RequestHead } from '../lane.ts';

/** The fields of a request over HTTP/2. Flat: name, then value; pseudo-header fields are among them. */
export type H2Fields = readonly string[];

/** Fields that HTTP/2 does not have (RFC 9113, section 8.2.2): they frame another reader's messages. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const PSEUDO: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path']);
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const SCHEME = /^https?$/i;

/** A request as it is understood. */
export interface H2Request {
  readonly head: RequestHead;
  readonly framing: BodyFraming;
  /** The client waits for a 100 before it sends the body (RFC 9110, section 10.1.1). */
  readonly expects: boolean;
  /** What its head counts. */
  readonly octets: number;
}

/**
 * Makes of a request's fields the head that one over HTTP/1.1 would have, or says why it is none (RFC 9113, sections
 * 8.2 and 8.3), whatever the parser before it let through.
 * @param ended no body follows
 * @param secure the connection is encrypted
 */
export function readH2Request(fields: H2Fields, ended: boolean, secure: boolean): H2Request | NoRequest {
  const octets = octetsOf(fields);
  // What is announced as the limit holds only once the client has acknowledged it.
  if (octets > MAX_HEAD_BYTES) return { status: 431, refused: 'head is too large' };
  const sorted = sortFields(fields);
  if ('refused' in sorted) return invalid(sorted.refused);
  const { pseudo, headers, expectations } = sorted;
  const method = pseudo.get(':method') ?? '';
  if (!TOKEN.test(method)) return invalid('bad method');
  if (method === 'CONNECT') return invalid('CONNECT, but this is no forward proxy');
  const scheme = pseudo.get(':scheme') ?? '';
  if (!SCHEME.test(scheme)) return invalid('scheme is not http or https');
  const target = pseudo.get(':path') ?? '';
  if (!target.startsWith('/') && target !== '*') return invalid('bad path');
  const authority = pseudo.get(':authority');
  const parsed = parseTarget(method, target);
  if (parsed === undefined) return invalid('request-target not understood');
  if (authority !== undefined && valuesOf(headers, 'host').length === 0) headers.unshift('Host', authority);
  // The authority is to Host what that of an absolute request-target is in HTTP/1.1.
  const defaultPort = scheme.length === 'http'.length ? '80' : '443';
  const frame = readFraming('1.1', { ...parsed, authority, defaultPort }, headers);
  if ('refused' in frame) return invalid(frame.refused);
  const { host } = frame;
  if (host === '') return invalid('no authority');
  if (expectations.some((value) => value.toLowerCase() !== '100-continue')) {
    return { status: 417, refused: 'Expect is not 100-continue' };
  }
  const told = valuesOf(headers, 'content-length').length > 0;
  const framing = told ? frame.body : ended ? 'none' : 'chunked';
  const { path } = parsed;
  const bodyless = framing === 'none' || framing === 0;
  return {
    head: {
      method,
      target,
      path,
      httpVersion: '2.0',
      headers,
      host,
      bodyless,
      upgrade: false,
      secure,
    },
    framing,
    expects: !bodyless && expectations.length > 0,
    octets,
  };
}

function invalid(refused: string): NoRequest {
  return { status: 400, refused };
}

interface Sorted {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly headers: string[];
  /** Values of Expect. */
  readonly expectations: readonly string[];
}

/** Pseudo-header fields apart from the others, and the pieces of Cookie together (RFC 9113, section 8.2.3). */
function sortFields(fields: H2Fields): Sorted | Refused {
  const pseudo = new Map<string, string>();
  const headers: string[] = [];
  const cookies: string[] = [];
  const expectations: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (name.startsWith(':')) {
      if (!PSEUDO.has(name)) return { refused: 'unknown pseudo-header field' };
      if (pseudo.has(name)) return { refused: `more than one ${name}` };
      if (headers.length > 0 || cookies.length > 0) return { refused: `${name} behind other fields` };
      pseudo.set(name, value);
      continue;
    }
    if (name !== name.toLowerCase()) return { refused: 'field name in upper case' };
    if (CONNECTION_SPECIFIC.has(name)) return { refused: `${name} has no place in HTTP/2` };
    if (name === 'te' && value !== 'trailers') return { refused: 'TE is not trailers' };
    if (name === 'expect') expectations.push(value);
    if (name === 'cookie') cookies.push(value);
    else headers.push(name, value);
  }
  if (cookies.length > 0) headers.push('cookie', cookies.join('; '));
  return { pseudo, headers, expectations };
}

/** How many octets fields are, about as they would be over HTTP/1.1. */
export function octetsOf(fields: H2Fields): number {
  let octets = 0;
  for (const text of fields) octets += text.length + 2;
  return octets;
}
