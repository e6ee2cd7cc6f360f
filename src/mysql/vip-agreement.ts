import type { MysqlServerConfig } from '../config/runtime/mysql-vips.ts';
import { Agreement, type AgreementOptions } from './agreement/agreement.ts';
import { masterOf, type Observation, type VipState } from './failover/vip-state.ts';

export interface AgreeingVip extends Pick<AgreementOptions, 'keys' | 'clock' | 'log' | 'vip' | 'node'> {
  readonly servers: readonly MysqlServerConfig[];
  /** From clock ms to wall clock ms. */
  readonly wallOffset: number;
  readonly state: () => VipState;
  readonly observe: (observation: Observation) => void;
}

/** The agreement of a VIP with those of the same name, and the same servers, that share its registry. */
export function vipAgreement({ servers, wallOffset, state, observe, ...options }: AgreeingVip): Agreement {
  return new Agreement({
    ...options,
    servers: servers.map(({ id, role, host, port }) => `${id}=${role}@${host}:${port}`).join(),
    own: () => {
      const { epoch, target, next, standing, demoted, promotedAt } = state();
      const at = promotedAt === undefined ? 0 : Math.round(promotedAt + wallOffset);
      const { away } = standing;
      // Where it is about to lead stands there first, so that nobody is led anywhere outside of an epoch.
      return { epoch, target: target ?? next, away, master: masterOf(state()).id, demoted, promotedAt: at };
    },
    isAble: () => state().phase !== 'INIT' && state().phase !== 'NONE',
    onAgreed: ({ epoch, target, by, away, master, demoted, promotedAt }) => {
      if (promotedAt > 0) observe({ kind: 'told', master, demoted, promotedAt: promotedAt - wallOffset });
      observe({ kind: 'agreed', agreed: { epoch, target, by, away } });
    },
    onLead: (lead) => observe({ kind: 'lead', lead }),
  });
}
