import type { MysqlServerConfig, MysqlVipConfig } from '../config/runtime/mysql-vips.ts';
import { isReplacement } from './failover/judgement.ts';
import { isWritable, type ServerFacts, staleness } from './failover/server-facts.ts';
import { type FailoverPolicy, masterOf, serverOf, type VipState } from './failover/vip-state.ts';
import type { Entry, EntryState } from './registrations/instances.ts';

/**
 * What a VIP has in the registry: each server under its role, and each under the VIP's name, of which at most one
 * passes: `mysql-vip.service.consul` is where clients are to go, with the tag `master` or `degraded`.
 */
export function entriesOf(
  { service, servers }: Pick<MysqlVipConfig, 'service' | 'servers'>,
  state: Pick<VipState, 'servers'>,
): readonly Entry[] {
  return servers.flatMap((server) => {
    // A promotion exchanges roles.
    const role = serverOf(state, server.id)?.role ?? server.role;
    return [
      entry(`${service}-${role}`, [], server),
      entry(`${service}-vip`, [role === 'master' ? 'master' : 'degraded'], server),
    ];
  });
}

function entry(service: string, tags: readonly string[], { id, host, port }: MysqlServerConfig): Entry {
  return { id: `${service}@${id}`, service, tags, address: host, port };
}

/** What they are to show in a state. Names only what passes, or has something to say. */
export function entryStates(
  service: string,
  state: VipState,
  now: number,
  policy: FailoverPolicy,
): ReadonlyMap<string, EntryState> {
  const states = new Map<string, EntryState>();
  for (const server of state.servers) {
    const { id, role } = server;
    const isGood = role === 'master' ? isWritable(server) : isReplacement(state, server, now, policy);
    const output = describe(server, staleness(server, masterOf(state), now));
    states.set(`${service}-${role}@${id}`, { status: isGood ? 'passing' : 'critical', output });
    const isTarget = state.target === id;
    states.set(`${service}-vip@${id}`, {
      status: isTarget ? 'passing' : 'critical',
      output: `${state.phase}, epoch ${state.epoch}: ${state.reason}`,
    });
  }
  return states;
}

function describe({ role, up, reading, trouble }: ServerFacts, stale: number): string {
  if (up !== true) return trouble?.message ?? 'not asked yet';
  const mode = reading?.readOnly ? 'read-only' : 'takes writes';
  if (role === 'master') return mode;
  return Number.isFinite(stale)
    ? `${mode}, ${Math.round(stale / 1000)} s behind`
    : `${mode}, does not replicate`;
}
