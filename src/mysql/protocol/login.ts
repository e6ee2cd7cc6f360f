import {
  CLIENT_LONG_PASSWORD,
  CLIENT_PLUGIN_AUTH,
  CLIENT_PROTOCOL_41,
  CLIENT_SECURE_CONNECTION,
  CLIENT_SSL,
} from './capabilities.ts';
import { firstPacket, packet } from './packets.ts';

/** What a client says first, as far as it has been said. */
export type Login =
  | { readonly kind: 'incomplete' }
  /** Not what a client of MySQL would say: a port scan, another protocol. */
  | { readonly kind: 'invalid' }
  /** Whole, and fit to be passed on with all that came behind it. */
  | { readonly kind: 'whole'; readonly capabilities: number; readonly encrypted: boolean };

/** More than any login with its connection attributes (64 KiB at most). */
const LONGEST_LOGIN = 128 * 1024;
/** Capabilities, largest packet, charset, filler: all there is of a request to encrypt (Protocol::SSLRequest). */
const SSL_REQUEST_BYTES = 32;
const TLS_HANDSHAKE = 0x16;
const TLS_HEADER_BYTES = 5;
/** RFC 8446, section 5.1. */
const LONGEST_TLS_RECORD = 2 ** 14 + 256;

/**
 * Judges the first bytes of a client. A server counts each connection that ends without a proper login against its
 * host, and after `max_connect_errors` of them shuts that host out (error 1129): here it would be this proxy, and all
 * clients with it. So nothing is passed on until it is whole.
 */
export function judgeLogin(bytes: Buffer): Login {
  if (bytes.length >= 4 && (bytes.readUIntLE(0, 3) > LONGEST_LOGIN || bytes[3] !== 1)) {
    return { kind: 'invalid' };
  }
  const first = firstPacket(bytes);
  if (!first) return { kind: 'incomplete' };
  const { payload } = first;
  if (payload.length < 4) return { kind: 'invalid' };
  // Before version 4.1 they were two bytes; no server that is alive takes such a client.
  const capabilities = payload.readUInt32LE(0);
  if ((capabilities & CLIENT_PROTOCOL_41) === 0 || payload.length < SSL_REQUEST_BYTES)
    return { kind: 'invalid' };
  const encrypted = (capabilities & CLIENT_SSL) !== 0 && payload.length === SSL_REQUEST_BYTES;
  if (!encrypted) return { kind: 'whole', capabilities, encrypted };
  return judgeTlsRecord(bytes.subarray(first.size), capabilities);
}

/** A client that has asked for encryption goes on with its ClientHello at once. */
function judgeTlsRecord(bytes: Buffer, capabilities: number): Login {
  const [type] = bytes;
  if (type === undefined) return { kind: 'incomplete' };
  if (type !== TLS_HANDSHAKE) return { kind: 'invalid' };
  if (bytes.length < TLS_HEADER_BYTES) return { kind: 'incomplete' };
  const length = bytes.readUInt16BE(3);
  if (length > LONGEST_TLS_RECORD) return { kind: 'invalid' };
  if (bytes.length < TLS_HEADER_BYTES + length) return { kind: 'incomplete' };
  return { kind: 'whole', capabilities, encrypted: true };
}

/** Nobody's name: it must not be that of an account. */
const NOBODY = 'vane-client-left';
const CHARSET_UTF8 = 0x21;

/**
 * A login that fails. A server that gets it counts a wrong password, which is harmless, where it would have counted a
 * broken connection against this host.
 */
export function failingLogin(): Buffer {
  const fixed = Buffer.alloc(SSL_REQUEST_BYTES);
  const capabilities =
    CLIENT_LONG_PASSWORD | CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH;
  fixed.writeUInt32LE(capabilities, 0);
  fixed.writeUInt32LE(0xffffff, 4);
  fixed.writeUInt8(CHARSET_UTF8, 8);
  return packet(1, Buffer.concat([fixed, Buffer.from(`${NOBODY}\0\0mysql_native_password\0`)]));
}
