import { packet } from './packets.ts';

/** Error numbers of MySQL that Vane says itself, or must tell apart. */
export const ER_CON_COUNT_ERROR = 1040;
export const ER_HANDSHAKE_ERROR = 1043;
export const ER_SERVER_SHUTDOWN = 1053;
export const ER_HOST_IS_BLOCKED = 1129;

export interface ServerError {
  readonly code: number;
  /** Five characters; undefined in an error that comes before or instead of a greeting. */
  readonly state: string | undefined;
  readonly message: string;
}

/**
 * An ERR packet. In place of a greeting it has sequence 0 and no SQLSTATE: some clients take that for a part of the
 * text. Unasked, to a session that waits for nothing, it has sequence 1, as if it answered the next command.
 */
export function errorPacket(sequence: number, { code, state, message }: ServerError): Buffer {
  const text = Buffer.from(`${state === undefined ? '' : `#${state}`}${message}`);
  const payload = Buffer.alloc(3 + text.length);
  payload.writeUInt8(0xff, 0);
  payload.writeUInt16LE(code, 1);
  text.copy(payload, 3);
  return packet(sequence, payload);
}

/** Reads the payload of an ERR packet; undefined when it is something else. */
export function parseError(payload: Buffer): ServerError | undefined {
  if (payload[0] !== 0xff || payload.length < 3) return undefined;
  const hasState = payload[3] === 0x23;
  return {
    code: payload.readUInt16LE(1),
    state: hasState ? payload.toString('latin1', 4, 9) : undefined,
    message: payload.toString('utf8', hasState ? 9 : 3),
  };
}

/**
 * Instead of a greeting: there is no server to lead to.
 * @param message begins with six characters that may be missed: PyMySQL takes them for an SQLSTATE
 */
export function noServerPacket(message: string): Buffer {
  return errorPacket(0, { code: ER_SERVER_SHUTDOWN, state: undefined, message });
}

/** Instead of a greeting: more clients than may be here. See {@link noServerPacket} for the message. */
export function tooManyPacket(message: string): Buffer {
  return errorPacket(0, { code: ER_CON_COUNT_ERROR, state: undefined, message });
}

/** To a session that waits for nothing: its next command was not executed, and there will be none. */
export function shutdownPacket(message: string): Buffer {
  return errorPacket(1, { code: ER_SERVER_SHUTDOWN, state: '08S01', message });
}
