import { type Refused, readFraming } from '../../request/strict.ts';
import { parseTarget } from '../../request/target.ts';
import { type ReadRequest, valuesOf } from '../compat/request-head.ts';

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

/**
 * Makes of a request's fields the head that one over HTTP/1.1 would have, or says why it is none (RFC 9113, sections
 * 8.2 and 8.3), whatever the parser before it let through.
 * @param ended no body follows
 */
export function readH2Request(fields: H2Fields, ended: boolean): ReadRequest | Refused {
  const sorted = sortFields(fields);
  if ('refused' in sorted) return sorted;
  const { pseudo, headers } = sorted;
  const method = pseudo.get(':method') ?? '';
  if (!TOKEN.test(method)) return { refused: 'bad method' };
  if (method === 'CONNECT') return { refused: 'CONNECT, but this is no forward proxy' };
  if (!SCHEME.test(pseudo.get(':scheme') ?? '')) return { refused: 'scheme is not http or https' };
  const target = pseudo.get(':path') ?? '';
  if (!target.startsWith('/') && target !== '*') return { refused: 'bad path' };
  const authority = pseudo.get(':authority');
  if (authority !== undefined) {
    const hosts = valuesOf(headers, 'host');
    if (hosts.some((host) => host.toLowerCase() !== authority.toLowerCase())) {
      return { refused: 'Host differs from the authority' };
    }
    if (hosts.length === 0) headers.unshift('Host', authority);
  }
  const parsed = parseTarget(method, target);
  const framing = readFraming('1.1', parsed, headers);
  if ('refused' in framing) return framing;
  if (parsed === undefined) return { refused: 'request-target not understood' };
  const { host } = framing;
  if (host === '') return { refused: 'no authority' };
  const told = valuesOf(headers, 'content-length').length > 0;
  const body = told ? framing.body : ended ? 'none' : 'chunked';
  const head = {
    method,
    target,
    path: parsed.path,
    httpVersion: '2.0',
    headers,
    host,
    bodyless: body === 'none' || body === 0,
    upgrade: false,
    secure: true,
  };
  return { head, body };
}

interface Sorted {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly headers: string[];
}

/** Pseudo-header fields apart from the others, and the pieces of Cookie together (RFC 9113, section 8.2.3). */
function sortFields(fields: H2Fields): Sorted | Refused {
  const pseudo = new Map<string, string>();
  const headers: string[] = [];
  const cookies: string[] = [];
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
    if (name === 'cookie') cookies.push(value);
    else headers.push(name, value);
  }
  if (cookies.length > 0) headers.push('cookie', cookies.join('; '));
  return { pseudo, headers };
}

/** How many octets fields are, about as they would be over HTTP/1.1. */
export function octetsOf(fields: H2Fields): number {
  let octets = 0;
  for (const text of fields) octets += text.length + 2;
  return octets;
}
