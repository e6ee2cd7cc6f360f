import type { ServerView } from '../../control/view.ts';

/** HAProxy's words for a server in metrics. NOLB is of `http-check disable-on-404`. */
export const SERVER_STATES = ['DOWN', 'UP', 'MAINT', 'DRAIN', 'NOLB'] as const;

export type ServerState = (typeof SERVER_STATES)[number];

/**
 * Vane's three facts in HAProxy's words. Maintenance hides all else and a server that is down cannot drain, as
 * there; a server that discovery no longer names and that finishes its work is draining. An agent may say either, too.
 */
export function serverState({ state: { facts }, agent, check }: ServerView): ServerState {
  if (facts.operator.mode === 'maint' || agent?.mode === 'maint') return 'MAINT';
  if (!facts.health.up) return 'DOWN';
  if (facts.operator.mode === 'drain' || agent?.mode === 'drain' || !facts.discovery.present) return 'DRAIN';
  if (check?.stopping) return 'NOLB';
  return 'UP';
}

/** What checks can end in, in HAProxy's order. A check without a result yet is in none of them. */
export const CHECK_STATES = [
  'HANA',
  'SOCKERR',
  'L4OK',
  'L4TOUT',
  'L4CON',
  'L6OK',
  'L6TOUT',
  'L6RSP',
  'L7TOUT',
  'L7RSP',
  'L7OK',
  'L7OKC',
  'L7STS',
  'PROCERR',
  'PROCTOUT',
  'PROCOK',
] as const;
