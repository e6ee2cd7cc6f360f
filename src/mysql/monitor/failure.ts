import { messageOf } from '../../core/errors.ts';
import type { FailureClass } from '../failover/server-facts.ts';

/** Connections that the other side, or the system on its behalf, has refused or reset. */
const DEAD: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'PROTOCOL_CONNECTION_LOST',
]);

/** The system has found no way to it, or has given up waiting. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
]);

/** ER_CON_COUNT_ERROR, ER_OUT_OF_RESOURCES, ER_CANT_CREATE_THREAD, ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED. */
const OVERLOADED: ReadonlySet<number> = new Set([1040, 1041, 1135, 1203, 1226]);

/** ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN, ER_FORCING_CLOSE, and MariaDB's ER_CONNECTION_KILLED: it is going down. */
const GOING: ReadonlySet<number> = new Set([1053, 1077, 1080, 1927]);

const ER_HOST_IS_BLOCKED = 1129;

/**
 * What an error of a probe says about the server. Whatever else a server answers, it answers: it is the monitor's
 * account, or this machine, that is not as it should be, and that is no reason to lead anybody elsewhere.
 */
export function failureOf(error: unknown): { readonly class: FailureClass; readonly message: string } {
  const { code, errno } = codesOf(error);
  return { class: classOf(code, errno), message: messageOf(error) };
}

function classOf(code: string | undefined, errno: number | undefined): FailureClass {
  if (code !== undefined && DEAD.has(code)) return 'dead';
  if (code !== undefined && UNREACHABLE.has(code)) return 'timeout';
  if (errno === undefined) return 'misconfigured';
  if (GOING.has(errno)) return 'dead';
  if (OVERLOADED.has(errno)) return 'overloaded';
  return errno === ER_HOST_IS_BLOCKED ? 'blocked' : 'misconfigured';
}

function codesOf(error: unknown): { code: string | undefined; errno: number | undefined } {
  if (!(error instanceof Error)) return { code: undefined, errno: undefined };
  const { code, errno }: NodeJS.ErrnoException = error;
  return { code, errno };
}
