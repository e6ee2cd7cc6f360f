import type { MysqlVipConfig } from '../config/runtime/mysql-vips.ts';
import type { Log } from '../core/log.ts';
import { restoredState, type SavedVip } from './failover/saved-state.ts';
import { newVipState, type VipState } from './failover/vip-state.ts';

/**
 * What a VIP begins with: as it was before a restart, if it has the same servers.
 * @param wallOffset from clock ms to wall clock ms
 */
export function firstState(
  { name, servers }: Pick<MysqlVipConfig, 'name' | 'servers'>,
  saved: SavedVip | undefined,
  { now, wallOffset, log }: { readonly now: number; readonly wallOffset: number; readonly log: Log },
): VipState {
  const restored = saved && restoredState(saved, servers, now, wallOffset);
  if (saved && !restored)
    log.info({ vip: name }, `mysql-vip ${name} has other servers than before, and begins anew`);
  return restored ?? newVipState(servers, now);
}
