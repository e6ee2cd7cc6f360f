import { isIP } from 'node:net';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { BindAddress } from './runtime/binds.ts';

/**
 * The host of an address: an IP in its one canonical spelling (RFC 5952, no brackets), or a name in lower case
 * without a trailing dot.
 */
export interface Host {
  readonly kind: 'ipv4' | 'ipv6' | 'name';
  readonly host: string;
}

export interface HostPort extends Host {
  readonly port: number | undefined;
}

const HIGHEST_PORT = 65_535;

/** `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. Port 0 is for addresses to listen on, and refused elsewhere. */
export function parseHostPort(text: string, options: { allowPortZero?: boolean } = {}): Parsed<HostPort> {
  if (canonicalIpv6(text) !== undefined) return unparsed(`an IPv6 address goes in brackets: [${text}]`);
  const split = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(.*))?$/s.exec(text);
  if (!split) return unparsed(`expected host:port, found ${JSON.stringify(text)}`);
  const [, bracketed, plain = '', portText] = split;
  const host = bracketed === undefined ? parseHost(plain) : parseIpv6(bracketed);
  if (!host.ok) return host;
  if (portText === undefined) return parsed({ ...host.value, port: undefined });
  const port = parsePort(portText, options.allowPortZero === true ? 0 : 1);
  if (!port.ok) return { ...port, offset: text.length - portText.length };
  return parsed({ ...host.value, port: port.value });
}

/** An IPv4 address, an IPv6 address (without brackets) or a host name. */
export function parseHost(text: string): Parsed<Host> {
  if (text.includes(':')) return parseIpv6(text);
  if (isIpv4(text)) return parsed({ kind: 'ipv4', host: text });
  const name = text.toLowerCase().replace(/\.$/, '');
  // A name whose last label is a number could only be an IPv4 address (WHATWG URL, "ends in a number").
  if (/(?:^|\.)\d+$/.test(name)) return unparsed(`${JSON.stringify(text)} is not an IPv4 address`);
  if (!isHostName(name))
    return unparsed(`expected an IP address or a host name, found ${JSON.stringify(text)}`);
  return parsed({ kind: 'name', host: name });
}

/**
 * An address to listen on. `:8080` and `*:8080` are every IPv4 address, as in HAProxy's `bind`; port 0 lets the
 * system choose.
 */
export function parseBind(text: string): Parsed<BindAddress> {
  const full = text.replace(/^\*?:/, '0.0.0.0:');
  const address = parseHostPort(full, { allowPortZero: true });
  if (!address.ok) {
    const { offset } = address;
    return offset === undefined ? address : { ...address, offset: offset - (full.length - text.length) };
  }
  const { host, port } = address.value;
  if (port === undefined)
    return unparsed(`${JSON.stringify(text)} lacks a port: expected host:port, or :port`);
  return parsed({ host, port });
}

/** An IP address or a network such as `10.0.0.0/8`, in its canonical spelling. */
export function parseNetwork(text: string): Parsed<string> {
  const [address = '', bits, ...more] = text.split('/');
  const host = parseHost(address);
  if (!host.ok || host.value.kind === 'name' || more.length > 0) {
    return unparsed(`expected an IP address or a network such as 10.0.0.0/8, found ${JSON.stringify(text)}`);
  }
  if (bits === undefined) return parsed(host.value.host);
  const longest = host.value.kind === 'ipv4' ? 32 : 128;
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > longest) {
    return unparsed(`expected a prefix length from 0 to ${longest} in ${JSON.stringify(text)}`);
  }
  return parsed(`${host.value.host}/${Number(bits)}`);
}

/** True for what only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** True for names a resolver can be asked for: labels of letters, digits, `-` and `_` (RFC 1035, RFC 2782). */
export function isHostName(name: string): boolean {
  if (name.length > 253) return false;
  return name.split('.').every((label) => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/i.test(label));
}

function parsePort(text: string, lowest: number): Parsed<number> {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= lowest && port <= HIGHEST_PORT) return parsed(port);
  return unparsed(`expected a port from ${lowest} to ${HIGHEST_PORT}, found ${JSON.stringify(text)}`);
}

function parseIpv6(text: string): Parsed<Host> {
  const host = canonicalIpv6(text);
  return host === undefined
    ? unparsed(`${JSON.stringify(text)} is not an IPv6 address`)
    : parsed({ kind: 'ipv6', host });
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  // No leading zeros: some readers take those for octal.
  return (
    parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  );
}

/** RFC 5952, by way of the URL standard, whose hosts are spelled that way; undefined when it is no address. */
function canonicalIpv6(text: string): string | undefined {
  const url = `http://[${text}]/`;
  if (!/^[0-9a-f:.]+$/i.test(text) || !URL.canParse(url)) return undefined;
  return new URL(url).hostname.slice(1, -1);
}
