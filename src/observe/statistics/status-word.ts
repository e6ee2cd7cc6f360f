import type { ServerView } from '../../control/view.ts';
import { serverState } from '../columns/server-status.ts';

/**
 * HAProxy's `status` of a server for people: as in metrics, and how far it is from the other state (`UP 1/3`) where
 * checks of the load balancer itself decide.
 */
export function statusWord(server: ServerView): string {
  const state = serverState(server);
  const { check } = server;
  return check && (state === 'UP' || state === 'DOWN') && check.position.startsWith(state)
    ? check.position
    : state;
}
