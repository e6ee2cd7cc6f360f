import { includes } from './gtid.ts';
import { isWritable, type ServerFacts, staleness } from './server-facts.ts';
import { type Alarm, type FailoverPolicy, masterOf, serverOf, type VipState } from './vip-state.ts';

const HOUR_MS = 3_600_000;

/** Whether a slave may be the target, read-only. One that takes writes may not: the master could come back. */
export function isReplacement(
  state: VipState,
  slave: ServerFacts,
  now: number,
  { maxStale }: FailoverPolicy,
): boolean {
  if (slave.role !== 'slave' || slave.up !== true || slave.reading?.readOnly !== true) return false;
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

/** What keeps clients from being led back to the master; undefined: nothing. */
export function failbackBlock(state: VipState, now: number, policy: FailoverPolicy): string | undefined {
  const { failback } = policy;
  const master = masterOf(state);
  const slave = serverOf(state, state.target);
  if (failback.policy === 'manual') return 'failback is manual';
  if (isSplit(state)) return 'more than one server takes writes';
  if (master.steadySince === undefined) return `${master.id} does not answer well`;
  if (!isWritable(master)) return `${master.id} is read-only`;
  if (slave && !isNewer(master, slave)) return `${master.id} has not been asked since ${slave.id} was`;
  if (state.parted !== undefined) return state.parted;
  const moves = recentMoves(state, now);
  if (moves.length >= failback.maxPerHour) return `${moves.length} moves within an hour`;
  if (failback.policy === 'automatic') return undefined;
  const { io, sql } = slave?.reading?.replication ?? {};
  if (slave && (io !== 'yes' || sql !== true)) return `${slave.id} does not replicate`;
  const wanted = stableTime(moves.length, failback);
  const steady = now - master.steadySince;
  return steady < wanted ? `${master.id} must have been well for ${wanted / 1000} s` : undefined;
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
  if (now - failingSince >= policy.unreachableWait) return true;
  const witnesses = state.servers.filter(({ role, up }) => role === 'slave' && up === true);
  return witnesses.every(
    ({ readAt, reading }) =>
      readAt !== undefined && readAt > failingSince && reading?.replication?.io !== 'yes',
  );
}

/** All that needs a human at the moment. */
export function alarmsOf(state: VipState, now: number, policy: FailoverPolicy): readonly Alarm[] {
  const { servers, target } = state;
  const master = masterOf(state);
  const alarms: Alarm[] = [];
  if (isSplit(state)) {
    const writable = servers.filter(isWritable).map(({ id }) => id);
    alarms.push({ kind: 'split', why: `${writable.join(' and ')} all take writes` });
  }
  if (target === master.id && master.up === true && master.reading?.readOnly === true) {
    alarms.push({ kind: 'no-writer', why: `${master.id} is read-only` });
  }
  const away = state.owner !== undefined && serverOf(state, state.owner)?.role === 'slave';
  if (away && recentMoves(state, now).length >= policy.failback.maxPerHour) {
    alarms.push({ kind: 'frozen', why: 'too many moves within an hour' });
  }
  if (state.parted !== undefined) alarms.push({ kind: 'diverged', server: master.id, why: state.parted });
  for (const server of servers) alarms.push(...alarmsAbout(server, master, now, policy));
  return alarms;
}

function alarmsAbout(
  server: ServerFacts,
  master: ServerFacts,
  now: number,
  { maxStale }: FailoverPolicy,
): readonly Alarm[] {
  const { id, role, up, trouble } = server;
  if (trouble && trouble.class !== 'dead' && trouble.class !== 'timeout') {
    return [{ kind: trouble.class, server: id, why: trouble.message }];
  }
  if (up === false) return [{ kind: trouble?.class ?? 'dead', server: id, why: trouble?.message ?? 'down' }];
  if (role !== 'slave' || up !== true) return [];
  const alarms: Alarm[] = [];
  if (isWritable(server)) alarms.push({ kind: 'slave-writable', server: id, why: `${id} is not read-only` });
  if (staleness(server, master, now) > maxStale) {
    alarms.push({
      kind: 'stale',
      server: id,
      why: server.reading?.replication?.error || 'it does not replicate',
    });
  }
  return alarms;
}
