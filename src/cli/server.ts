import { userInfo } from 'node:os';
import { ConfigError } from '../config/problem.ts';
import { messageOf } from '../core/errors.ts';
import { askVane } from './ask.ts';
import type { SERVER_STATES } from './server-states.ts';

const FAILED = 1;

/**
 * Tells the Vane that runs with this configuration what to do with a server: `backend/server`, by its name or address.
 * Resolves to the exit code.
 */
export async function setServer(
  target: string,
  state: (typeof SERVER_STATES)[number],
  { file, reason, cluster }: { readonly file: string; readonly reason?: string; readonly cluster?: true },
): Promise<number> {
  const at = target.indexOf('/');
  const [backend, server] = [target.slice(0, at), target.slice(at + 1)];
  try {
    await askVane(file, '/server', { backend, server }, { state, by: userName(), reason, cluster });
    console.log(`${target}: ${state}${cluster ? ' on all nodes' : ''}`);
    return 0;
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : `Not done: ${messageOf(error)}`);
    return FAILED;
  }
}

/** Who is at work, for what is told of it later; a process of a container may be nobody by name. */
export function userName(): string {
  const { SUDO_USER } = process.env;
  try {
    return SUDO_USER ?? userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? ''}`.trim();
  }
}
