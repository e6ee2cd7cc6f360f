/**
 * HAProxy's PROXY protocol, which tells a server behind a proxy whose connection it got: a line of text (version 1)
 * or a binary head (version 2) before anything else. https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { SendProxy } from '../../config/runtime/servers.ts';
import { ownProxyHead } from '../../health/open-connection.ts';
import type { ClientAddress } from '../lanes/lane.ts';

/** What the first bytes of a connection are. */
export type ProxyHead =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid' }
  | {
      readonly kind: 'whole';
      /** Bytes of the head; the client's own come behind them. */
      readonly size: number;
      /** Undefined: the connection is the proxy's own (its health checks), or of a kind that has no IP addresses. */
      readonly client: ClientAddress | undefined;
    };

const INCOMPLETE: ProxyHead = { kind: 'incomplete' };
const INVALID: ProxyHead = { kind: 'invalid' };

const V1_BEGIN = Buffer.from('PROXY ');
/** With CRLF (section 2.1). */
const V1_LONGEST = 107;
const CR = 0x0d;
const LF = 0x0a;
const V2_SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** Signature, version and command, family, length (section 2.2). */
const V2_FIXED = 16;
/** What may follow that: addresses, and what else the proxy has to tell, which is passed over. */
const V2_LONGEST = 4_096;
const V2_LOCAL = 0x20;
const V2_PROXY = 0x21;
const V2_TCP4 = 0x11;
const V2_TCP6 = 0x21;

/** Longest head that is waited for, bytes. */
export const LONGEST_PROXY_HEAD = V2_FIXED + V2_LONGEST;

/** Reads the head that these bytes begin with. Pure. */
export function parseProxyHead(bytes: Buffer): ProxyHead {
  if (begins(bytes, V2_SIGNATURE)) return parseV2(bytes);
  return begins(bytes, V1_BEGIN) ? parseV1(bytes) : INVALID;
}

/** As far as there are bytes. */
function begins(bytes: Buffer, with_: Buffer): boolean {
  const length = Math.min(bytes.length, with_.length);
  return bytes.compare(with_, 0, length, 0, length) === 0;
}

function parseV1(bytes: Buffer): ProxyHead {
  const end = bytes.indexOf(LF);
  if (end < 0) return bytes.length < V1_LONGEST ? INCOMPLETE : INVALID;
  if (end >= V1_LONGEST || bytes[end - 1] !== CR) return INVALID;
  const size = end + 1;
  const [, family, address = '', localAddress = '', port = '', localPort = '', ...rest] = bytes
    .toString('latin1', 0, end - 1)
    .split(' ');
  // Whatever follows it is to be ignored.
  if (family === 'UNKNOWN') return { kind: 'whole', size, client: undefined };
  const is = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined;
  if (!is?.(address) || !is(localAddress) || rest.length > 0) return INVALID;
  const [from, to] = [parsePort(port), parsePort(localPort)];
  if (from === undefined || to === undefined) return INVALID;
  return { kind: 'whole', size, client: { address, port: from, localAddress, localPort: to } };
}

function parsePort(text: string): number | undefined {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

function parseV2(bytes: Buffer): ProxyHead {
  const [command] = bytes.subarray(12);
  if (command !== undefined && command !== V2_LOCAL && command !== V2_PROXY) return INVALID;
  if (bytes.length < V2_FIXED) return INCOMPLETE;
  const length = bytes.readUInt16BE(14);
  if (length > V2_LONGEST) return INVALID;
  const size = V2_FIXED + length;
  if (bytes.length < size) return INCOMPLETE;
  const family = bytes[13];
  const addressBytes = family === V2_TCP4 ? 4 : family === V2_TCP6 ? 16 : 0;
  if (command === V2_LOCAL || addressBytes === 0) return { kind: 'whole', size, client: undefined };
  const ports = V2_FIXED + 2 * addressBytes;
  if (size < ports + 4) return INVALID;
  const show = addressBytes === 4 ? showV4 : showV6;
  return {
    kind: 'whole',
    size,
    client: {
      address: show(bytes, V2_FIXED),
      localAddress: show(bytes, V2_FIXED + addressBytes),
      port: bytes.readUInt16BE(ports),
      localPort: bytes.readUInt16BE(ports + 2),
    },
  };
}

function showV4(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.');
}

/** In its canonical spelling (RFC 5952), as the system would tell it. */
function showV6(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16));
  const { hostname } = new URL(`http://[${groups.join(':')}]`);
  return hostname.slice(1, -1);
}

/**
 * The head that tells a server whose connection it gets; without a client, or of one that has gone already, that it is Vane's own.
 * Addresses of two families cannot be told in one head: then IPv4 is told as IPv4-mapped IPv6, as HAProxy does.
 */
export function writeProxyHead(version: SendProxy, client: ClientAddress | undefined): Buffer {
  if (!client || !isIP(client.address) || !isIP(client.localAddress)) return ownProxyHead(version);
  return version === 'v1' ? writeV1(client) : writeV2(client);
}

function isIP(address: string): boolean {
  return isIPv4(address) || isIPv6(address);
}

function writeV1(client: ClientAddress): Buffer {
  const { address, localAddress, port, localPort } = sameFamily(client);
  const family = isIPv4(address) ? 'TCP4' : 'TCP6';
  return Buffer.from(`PROXY ${family} ${address} ${localAddress} ${port} ${localPort}\r\n`);
}

function writeV2(client: ClientAddress): Buffer {
  const { address, localAddress, port, localPort } = sameFamily(client);
  const addresses = Buffer.concat([octets(address), octets(localAddress)]);
  const rest = Buffer.alloc(4);
  rest.writeUInt16BE(port, 0);
  rest.writeUInt16BE(localPort, 2);
  const length = addresses.length + rest.length;
  const fixed = Buffer.from([V2_PROXY, isIPv4(address) ? V2_TCP4 : V2_TCP6, 0, length]);
  return Buffer.concat([V2_SIGNATURE, fixed, addresses, rest]);
}

function sameFamily(client: ClientAddress): ClientAddress {
  const { address, localAddress } = client;
  if (isIPv4(address) === isIPv4(localAddress)) return client;
  return { ...client, address: mapped(address), localAddress: mapped(localAddress) };
}

function mapped(address: string): string {
  return isIPv4(address) ? `::ffff:${address}` : address;
}

function octets(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  // The URL parser writes it in groups of hexadecimal digits, whichever way it was written. A zone means nothing elsewhere.
  const [plain = ''] = address.split('%');
  const [head = '', tail = ''] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail)];
  const zeros: string[] = new Array(8 - before.length - after.length).fill('0');
  const bytes = Buffer.alloc(16);
  for (const [i, group] of [...before, ...zeros, ...after].entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * i);
  }
  return bytes;
}
