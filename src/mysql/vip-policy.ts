import type { MysqlVipConfig } from '../config/runtime/mysql-vips.ts';
import type { FailoverPolicy } from './failover/vip-state.ts';

const REFUSED_FALL = 2;
const INBAND_VETO_MS = 2_000;
const LONGEST_STABLE_MS = 3_600_000;
const MOVES_PER_HOUR = 4;
/** How long names may take to let go of a target, ms. */
export const RELEASE_WITHIN_MS = 1_000;

/** What a configuration means for the failover. */
export function policyOf({ monitor, failover, failback, promote, registry }: MysqlVipConfig): FailoverPolicy {
  return {
    fall: monitor.fall,
    fallRefused: Math.min(REFUSED_FALL, monitor.fall),
    rise: monitor.rise,
    inbandVeto: INBAND_VETO_MS,
    unreachableWait: failover.unreachableWait,
    maxStale: failover.maxStale,
    failback: {
      ...failback,
      maxStable: LONGEST_STABLE_MS,
      maxPerHour: MOVES_PER_HOUR,
    },
    releaseWithin: RELEASE_WITHIN_MS,
    promote,
    agentLoss: registry.agentLoss,
    agentGrace: registry.agentGrace,
  };
}
