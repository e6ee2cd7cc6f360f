import { messageOf } from '../../../core/errors.ts';

export const NOT_CONNECTED = 'not connected';

/** Why a command failed. The client says in terms of its own settings that there is no connection. */
export function reasonOf(thrown: unknown): string {
  const message = messageOf(thrown);
  return /enableOfflineQueue|maxRetriesPerRequest|Connection is closed/.test(message)
    ? NOT_CONNECTED
    : message;
}

export function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && /timed out/i.test(thrown.message);
}
