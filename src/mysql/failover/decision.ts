import type { ServerFacts } from './server-facts.ts';
import type { Phase, Promotion, VipState } from './vip-state.ts';

/** Another phase, and whom it leads to. */
export interface Decision {
  readonly phase: Phase;
  readonly reason: string;
  /** The target from now on; undefined: none. */
  readonly target: string | undefined;
  readonly next?: string;
  readonly promotion?: Promotion;
}

export function onto({ id, role }: ServerFacts, reason: string, { demoted }: VipState): Decision {
  const asMaster = demoted === undefined ? 'MASTER' : 'PROMOTED';
  return { phase: role === 'master' ? asMaster : 'DEGRADED', target: id, reason };
}

export function towards({ id }: ServerFacts, reason: string): Decision {
  return { phase: 'SWITCHING', target: undefined, next: id, reason };
}

export function nobody(reason: string): Decision {
  return { phase: 'NONE', target: undefined, reason };
}

export function promoting({ id }: ServerFacts, planned: boolean, reason: string): Decision {
  return { phase: 'PROMOTING', target: undefined, promotion: { server: id, planned }, reason };
}
