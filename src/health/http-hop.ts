import { BlockList, isIP, isIPv6 } from 'node:net';
import type { CheckKind } from '../registry/model.ts';
import type { ExchangeRequest } from './http-exchange.ts';

/** One request of an HTTP check: the first, or one that a redirect asked for. */
export interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly body: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** The Host header when it is not the URL's. */
  readonly host: string | undefined;
}

/** Made by the connection itself: what a definition says of them is ignored, as Consul does. */
const OWN_HEADERS = new Set(['content-length', 'transfer-encoding', 'trailer', 'connection', 'host']);
/** Not carried on to another host by a redirect. */
const SECRET_HEADERS = new Set(['authorization', 'cookie', 'www-authenticate']);

/** The request a definition asks for; undefined if its URL is none. */
export function firstHop(kind: Extract<CheckKind, { kind: 'http' }>): Hop | undefined {
  const url = URL.parse(kind.url);
  if (!url) return undefined;
  const headers = new Map<string, readonly string[]>([
    ['user-agent', ['Consul Health Check']],
    ['accept', ['text/plain, text/*, */*']],
  ]);
  let host: string | undefined;
  for (const [name, values] of Object.entries(kind.header)) {
    const key = name.toLowerCase();
    const first = values[0];
    if (first === undefined || first === '') continue;
    if (key === 'host') host = first;
    if (!OWN_HEADERS.has(key)) headers.set(key, values);
  }
  return { url, method: kind.method || 'GET', body: kind.body, headers, host };
}

/**
 * Where an answer sends the check on to (RFC 9110, section 15.4); undefined if it stays. 307 and 308 repeat
 * the request, the others turn into a GET, as in Go's client.
 */
export function nextHop(hop: Hop, answer: { status: number; location: string | undefined }): Hop | undefined {
  if (![301, 302, 303, 307, 308].includes(answer.status) || answer.location === undefined) return undefined;
  const url = URL.parse(answer.location, hop.url.href);
  if (!url) return undefined;
  const repeated = answer.status === 307 || answer.status === 308;
  const sameHost = url.host === hop.url.host;
  return {
    url,
    method: repeated || hop.method === 'HEAD' ? hop.method : 'GET',
    body: repeated ? hop.body : '',
    headers: sameHost ? hop.headers : withoutSecrets(hop.headers),
    host: sameHost ? hop.host : undefined,
  };
}

/**
 * What goes over the wire for a hop.
 * @param verify whether a certificate must be trusted
 */
export function requestOf(
  hop: Hop,
  verify = true,
): Pick<ExchangeRequest, 'tls' | 'host' | 'port' | 'method' | 'path' | 'headers' | 'body'> {
  const { url } = hop;
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const headers = new Map<string, string | string[]>();
  for (const [name, values] of hop.headers) headers.set(name, [...values]);
  headers.set('host', hop.host ?? url.host);
  if ((url.username !== '' || url.password !== '') && !headers.has('authorization')) {
    const credentials = `${percentDecoded(url.username)}:${percentDecoded(url.password)}`;
    headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
  }
  if (hop.body !== '') headers.set('content-length', String(Buffer.byteLength(hop.body)));
  return {
    // The name is the machine's: what a Host header says is about the site.
    tls: secure ? { verify, ca: undefined, name: host } : undefined,
    host,
    port: Number(url.port) || (secure ? 443 : 80),
    method: hop.method,
    path: `${url.pathname}${url.search}`,
    headers: Object.fromEntries(headers),
    body: hop.body,
  };
}

/** Whether an IP address is link-local or a cloud's metadata service; names are not. */
export function isLinkLocal(host: string): boolean {
  const address = host.replace(/%.*$/, '');
  return isIP(address) !== 0 && linkLocal.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');
/** EC2's metadata service over IPv6. */
linkLocal.addAddress('fd00:ec2::254', 'ipv6');

function withoutSecrets(headers: Hop['headers']): Hop['headers'] {
  return new Map([...headers].filter(([name]) => !SECRET_HEADERS.has(name)));
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign stands for itself.
    return text;
  }
}
