import type { ParsedTarget } from './target.ts';

/** Header fields of one request at most (HAProxy: tune.http.maxhdr). */
export const MAX_HEADERS = 101;
/** Bytes of a request's or response's head at most (HAProxy: tune.bufsize). */
export const MAX_HEAD_BYTES = 16_384;

/** What of a head says how long its body is, and whom it is for. */
export interface Framing {
  readonly host: string;
  /** The body's length in bytes; `chunked`; 0: no body. */
  readonly body: number | 'chunked';
}

/** In words for the log why a request is not taken. */
export interface Refused {
  readonly refused: string;
}

/**
 * Refuses every head that two readers could understand differently, whatever the parser before it let
 * through: what is refused here can smuggle nothing past us. (RFC 9112, sections 3.2 and 6.1; HAProxy
 * CVE-2023-25725, CVE-2023-40225.)
 */
export function readFraming(
  httpVersion: string,
  target: ParsedTarget | undefined,
  headers: readonly string[],
): Framing | Refused {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!TOKEN.test(name)) return { refused: 'bad header name' };
    if (!FIELD_VALUE.test(headers[i + 1] ?? '')) return { refused: `bad octet in the value of ${name}` };
  }
  return frameOf(httpVersion, target, headers);
}

/** {@link readFraming} for fields whose octets have been looked at: names are tokens, values have no controls. */
export function frameOf(
  httpVersion: string,
  target: ParsedTarget | undefined,
  headers: readonly string[],
): Framing | Refused {
  if (target === undefined) return { refused: 'request-target not understood' };
  if (headers.length > 2 * MAX_HEADERS) return { refused: `more than ${MAX_HEADERS} header fields` };
  let hosts = NONE;
  let lengths = NONE;
  let codings = NONE;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    // Most fields are told by their length alone.
    const { length } = name;
    if (length !== 4 && length !== 14 && length !== 17) continue;
    const value = headers[i + 1] ?? '';
    switch (name.toLowerCase()) {
      case 'host':
        hosts = [...hosts, value];
        break;
      case 'content-length':
        lengths = [...lengths, value];
        break;
      case 'transfer-encoding':
        codings = [...codings, value];
        break;
    }
  }
  const host = readHost(httpVersion, target, hosts);
  if ('refused' in host) return host;
  const body = readBody(httpVersion, lengths, codings);
  if ('refused' in body) return body;
  return { host: host.is, body: body.is };
}

const NONE: readonly string[] = [];
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** `uri-host [":" port]`, loosely: no separators, spaces or userinfo. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::\d*)?$/;
const DIGITS = /^\d{1,15}$/;

type Read<T> = { readonly is: T } | Refused;

function readHost(httpVersion: string, target: ParsedTarget, hosts: readonly string[]): Read<string> {
  const [host] = hosts;
  if (hosts.length > 1) return { refused: 'more than one Host' };
  if (host === undefined && httpVersion === '1.1') return { refused: 'no Host' };
  if (host !== undefined && !HOST.test(host)) return { refused: 'bad Host' };
  const { authority } = target;
  if (authority === undefined) return { is: host ?? '' };
  if (!HOST.test(authority)) return { refused: 'bad authority in the request-target' };
  if (host !== undefined && withoutPort(host, target) !== withoutPort(authority, target)) {
    return { refused: 'Host differs from the request-target' };
  }
  return { is: authority };
}

/** Two spellings of one authority are one: case means nothing, nor does the port that the scheme implies. */
function withoutPort(authority: string, { defaultPort }: ParsedTarget): string {
  const lower = authority.toLowerCase();
  return lower.endsWith(`:${defaultPort}`) ? lower.slice(0, -`:${defaultPort}`.length) : lower;
}

function readBody(
  httpVersion: string,
  lengths: readonly string[],
  codings: readonly string[],
): Read<number | 'chunked'> {
  const [coding] = codings;
  const [length] = lengths;
  if (coding !== undefined) {
    if (length !== undefined) return { refused: 'both Content-Length and Transfer-Encoding' };
    if (httpVersion !== '1.1') return { refused: 'Transfer-Encoding before HTTP/1.1' };
    if (codings.length > 1 || coding.toLowerCase() !== 'chunked') {
      return { refused: 'Transfer-Encoding is not chunked' };
    }
    return { is: 'chunked' };
  }
  if (length === undefined) return { is: 0 };
  if (lengths.length > 1 || !DIGITS.test(length)) return { refused: 'bad Content-Length' };
  return { is: Number(length) };
}
