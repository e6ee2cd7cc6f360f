import { includes } from './gtid.ts';
import { isWritable, type ServerFacts, staleness } from './server-facts.ts';
import { isFrozen } from './standing.ts';
import { type FailoverPolicy, masterOf, serverOf, type VipState } from './vip-state.ts';

const HOUR_MS = 3_600_000;

/** Whether a slave may be the target, read-only. One that takes writes may not: the master could come back. */
export function isReplacement(
  state: VipState,
  slave: ServerFacts,
  now: number,
  { maxStale }: FailoverPolicy,
): boolean {
  if (slave.role !== 'slave' || slave.up !== true || slave.reading?.readOnly !== true) return false;
  if (slave.id === state.demoted || state.standing.drained.includes(slave.id)) return false;
  return staleness(slave, masterOf(state), now) <= maxStale;
}

/** Whether a slave may become the target now: one that has just failed may be about to fail for good. */
export function canStandIn(
  state: VipState,
  slave: ServerFacts,
  now: number,
  policy: FailoverPolicy,
): boolean {
  return slave.failures === 0 && isReplacement(state, slave, now, policy);
}

/** Whether a server may become the target now, where there is reason to lead to it. */
export function isFit(state: VipState, server: ServerFacts, now: number, policy: FailoverPolicy): boolean {
  return server.role === 'master' ? isMasterUsable(state) : canStandIn(state, server, now, policy);
}

/** The slave to fall back to: the least stale, of equals the first in the file. */
export function bestReplacement(
  state: VipState,
  now: number,
  policy: FailoverPolicy,
): ServerFacts | undefined {
  const master = masterOf(state);
  const fit = state.servers.filter((server) => canStandIn(state, server, now, policy));
  const [best] = fit.toSorted((a, b) => staleness(a, master, now) - staleness(b, master, now));
  return best;
}

/**
 * Whether the master may be the target: it lives, has not gone another way than the slave that stood in for it, and that
 * slave does not take writes meanwhile.
 */
export function isMasterUsable(state: VipState): boolean {
  const master = masterOf(state);
  const owner = serverOf(state, state.owner);
  const hasRival = owner !== undefined && owner.id !== master.id && isWritable(owner);
  return master.up === true && master.failures === 0 && !hasRival && state.parted === undefined;
}

/** Two servers take writes. */
export function isSplit({ servers }: VipState): boolean {
  return servers.filter(isWritable).length > 1;
}

/** {@link VipState.parted} after what has been seen now: that slave has executed what the master has not. */
export function partedFrom(state: VipState): string | undefined {
  const master = masterOf(state);
  const slave = serverOf(state, state.owner);
  if (slave?.role !== 'slave') return undefined;
  // Until the master has been asked again what was found before holds.
  if (!isNewer(master, slave)) return state.parted;
  const [own, others] = [master.reading?.gtid, slave.reading?.gtid];
  if (includes(own, others) !== false) return undefined;
  return includes(others, own) === false
    ? `${master.id} and ${slave.id} have each executed what the other has not`
    : `${slave.id} has executed what ${master.id} has not`;
}

/** A server's transactions can be compared with those that another had before, not with those it had later. */
function isNewer(one: ServerFacts, other: ServerFacts): boolean {
  return one.readAt !== undefined && other.readAt !== undefined && one.readAt >= other.readAt;
}

/** Whether a server is not wanted because the registry has lost the agent of its node, however well it works. */
export function isGivenUp(
  { agentLostSince }: ServerFacts,
  now: number,
  { agentLoss, agentGrace }: FailoverPolicy,
): boolean {
  return agentLoss === 'failover' && agentLostSince !== undefined && now - agentLostSince >= agentGrace;
}

/** What keeps clients from being led back to the master by itself; undefined: nothing. */
export function failbackBlock(state: VipState, now: number, policy: FailoverPolicy): string | undefined {
  const { failback } = policy;
  if (isFrozen(state.standing, now)) return 'an operator has frozen it';
  if (state.standing.away) return 'an operator has led clients away';
  if (isForOthers(state)) return 'another Vane decides, and leads elsewhere';
  if (failback.policy === 'manual') return 'failback is manual';
  const unsafe = unsafeBack(state, now, policy);
  if (unsafe !== undefined) return unsafe;
  const moves = recentMoves(state, now);
  if (moves.length >= failback.maxPerHour) return `${moves.length} moves within an hour`;
  if (failback.policy === 'automatic') return undefined;
  const unlinked = unlinkedBack(state);
  if (unlinked !== undefined) return unlinked;
  const { id, steadySince = now } = masterOf(state);
  const wanted = stableTime(moves.length, failback);
  return now - steadySince < wanted ? `${id} must have been well for ${wanted / 1000} s` : undefined;
}

/** Whether the one that decides does not lead to the master. */
function isForOthers(state: VipState): boolean {
  return state.lead === 'other' && state.agreed !== undefined && state.agreed.target !== masterOf(state).id;
}

/** Why nobody at all may be led back to the master now, whoever wants it; undefined: one may. */
export function unsafeBack(state: VipState, now: number, policy: FailoverPolicy): string | undefined {
  const master = masterOf(state);
  const slave = serverOf(state, state.target);
  if (isSplit(state)) return 'more than one server takes writes';
  if (master.up !== true || master.steadySince === undefined) return `${master.id} does not answer well`;
  if (!isWritable(master)) return `${master.id} is read-only`;
  if (isGivenUp(master, now, policy)) return `the registry has lost the agent of ${master.id}`;
  if (slave && !isNewer(master, slave)) return `${master.id} has not been asked since ${slave.id} was`;
  return state.parted;
}

/** Whether the slave follows the master again, which is only prudent to wait for; undefined: it does. */
export function unlinkedBack(state: VipState): string | undefined {
  const slave = serverOf(state, state.target);
  const { io, sql } = slave?.reading?.replication ?? {};
  return slave && (io !== 'yes' || sql !== true) ? `${slave.id} does not replicate` : undefined;
}

/** Doubles with each failover of the last hour after the first. */
export function stableTime(moves: number, { stable, maxStable }: FailoverPolicy['failback']): number {
  const failovers = Math.ceil(moves / 2);
  return Math.min(stable * 2 ** Math.max(0, failovers - 1), Math.max(stable, maxStable));
}

export function recentMoves({ moves }: VipState, now: number): readonly number[] {
  return moves.filter((at) => now - at < HOUR_MS);
}

/**
 * Whether the master's death is confirmed by those who should know: its slaves. One that still hears from it says that
 * it is only this proxy that does not; then it gets `unreachableWait`.
 */
export function isDeathConfirmed(state: VipState, now: number, policy: FailoverPolicy): boolean {
  const master = masterOf(state);
  const failingSince = master.failingSince ?? now;
  if (policy.agentLoss !== 'ignore' && master.agentLostSince !== undefined) return true;
  if (now - failingSince >= policy.unreachableWait) return true;
  const witnesses = state.servers.filter(({ role, up }) => role === 'slave' && up === true);
  return witnesses.every(
    ({ readAt, reading }) =>
      readAt !== undefined && readAt > failingSince && reading?.replication?.io !== 'yes',
  );
}
