/** What a server says first; always in the clear, even when the session is encrypted afterwards. */
export interface Greeting {
  readonly version: string;
  /** The id of the session: what KILL and the process list know it by. */
  readonly threadId: number;
  readonly capabilities: number;
  readonly status: number;
  readonly plugin: string;
}

const PROTOCOL_VERSION = 10;
const SCRAMBLE_BEGIN = 8;
const RESERVED = 10;

/**
 * Reads the payload of a greeting (Protocol::HandshakeV10); undefined when it is something else, such as an error.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
 */
export function parseGreeting(payload: Buffer): Greeting | undefined {
  if (payload[0] !== PROTOCOL_VERSION) return undefined;
  const end = payload.indexOf(0, 1);
  const fixed = end + 1;
  // Thread id, scramble, filler, capabilities, charset, status, capabilities, length of the scramble, reserved.
  const afterFixed = fixed + 4 + SCRAMBLE_BEGIN + 1 + 2 + 1 + 2 + 2 + 1 + RESERVED;
  if (end < 0 || payload.length < afterFixed) return undefined;
  const flags = fixed + 4 + SCRAMBLE_BEGIN + 1;
  const scrambleLength = payload.readUInt8(flags + 7);
  const rest = Math.max(13, scrambleLength - SCRAMBLE_BEGIN);
  const pluginAt = afterFixed + rest;
  const pluginEnd = payload.indexOf(0, pluginAt);
  return {
    version: payload.toString('latin1', 1, end),
    threadId: payload.readUInt32LE(fixed),
    capabilities: (payload.readUInt16LE(flags) | (payload.readUInt16LE(flags + 5) << 16)) >>> 0,
    status: payload.readUInt16LE(flags + 3),
    plugin: payload.toString('latin1', pluginAt, pluginEnd < 0 ? payload.length : pluginEnd),
  };
}
