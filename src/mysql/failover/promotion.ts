import { includes } from './gtid.ts';
import { canStandIn, isSplit } from './judgement.ts';
import { isWritable, type ServerFacts, staleness } from './server-facts.ts';
import { isFrozen } from './standing.ts';
import { type FailoverPolicy, masterOf, serverOf, type VipState } from './vip-state.ts';

export const NO_LOCK = 'this Vane does not hold the lock of those that share the registry';

/**
 * What keeps a slave from becoming the master in place of one that is dead; undefined: nothing. It takes more than to
 * lead clients to a slave that stays one: that the master is dead must be known by those who should know, for a master
 * that only this proxy cannot reach goes on taking writes; and the slave must have what the master told others.
 * @param again although there has just been a promotion
 */
export function promotionBlock(
  state: VipState,
  slave: ServerFacts,
  now: number,
  policy: FailoverPolicy,
  again = false,
): string | undefined {
  const { promote } = policy;
  const master = masterOf(state);
  if (!promote) return 'failover.mode is degrade';
  if (isFrozen(state.standing, now)) return 'an operator has frozen it';
  if (mustNotPromote(state)) return NO_LOCK;
  if (isSplit(state)) return 'more than one server takes writes';
  if (master.up !== false) return `${master.id} is not known to be dead`;
  if (!canStandIn(state, slave, now, policy)) return `${slave.id} cannot be used`;
  const unheard = witnessBlock(state, master);
  if (unheard !== undefined) return unheard;
  if (slave.reading?.replication?.sql !== true) return `${slave.id} does not execute what it has received`;
  if (staleness(slave, master, now) > promote.maxLag) return `${slave.id} is too far behind`;
  const richer = richerThan(state, slave);
  if (richer) return `${richer.id} has transactions that ${slave.id} has not`;
  const { promotedAt } = state;
  if (!again && promotedAt !== undefined && now - promotedAt < promote.blockFor) {
    return 'another server was promoted not long ago';
  }
  return undefined;
}

/** Whether others share the registry, and this proxy is not the one that decides. */
export function mustNotPromote({ lead }: VipState): boolean {
  return lead !== undefined && lead !== 'self';
}

/** Every slave that answers has lost the master since it began to fail, and at least one does answer. */
function witnessBlock({ servers }: VipState, { id, failingSince }: ServerFacts): string | undefined {
  const witnesses = servers.filter(({ role, up }) => role === 'slave' && up === true);
  const since = failingSince ?? Number.POSITIVE_INFINITY;
  for (const { id: witness, readAt = 0, reading } of witnesses) {
    if (readAt <= since) return `${witness} has not been asked since ${id} began to fail`;
    if (!reading?.replication) return `${witness} does not replicate from ${id}, and knows nothing of it`;
    if (reading.replication.io === 'yes') return `${witness} still hears from ${id}`;
  }
  return witnesses.length === 0 ? `nobody else can tell whether ${id} is dead` : undefined;
}

/** Another slave that has executed what this one has not. */
function richerThan({ servers }: VipState, slave: ServerFacts): ServerFacts | undefined {
  return servers.find(
    (other) =>
      other.role === 'slave' &&
      other.id !== slave.id &&
      other.up === true &&
      includes(slave.reading?.gtid, other.reading?.gtid) !== true,
  );
}

/** The slave to promote, and without one why there is none. */
export function promotable(
  state: VipState,
  now: number,
  policy: FailoverPolicy,
): { readonly server: ServerFacts } | { readonly why: string } {
  let why = 'there is no slave';
  for (const server of state.servers.filter(({ role }) => role === 'slave')) {
    const block = promotionBlock(state, server, now, policy);
    if (block === undefined) return { server };
    why = block;
  }
  return { why };
}

/** What keeps a master that works from handing over to this slave; undefined: nothing. */
export function handoverBlock(
  state: VipState,
  slave: ServerFacts,
  now: number,
  policy: FailoverPolicy,
): string | undefined {
  const master = masterOf(state);
  if (policy.promote ? mustNotPromote(state) : state.lead === 'other') return NO_LOCK;
  if (isSplit(state)) return 'more than one server takes writes';
  if (!isWritable(master)) return `${master.id} does not take writes`;
  if (!canStandIn(state, slave, now, policy)) return `${slave.id} cannot be used`;
  if (!policy.promote) return undefined;
  const { io, sql } = slave.reading?.replication ?? {};
  if (io !== 'yes' || sql !== true) return `${slave.id} does not replicate`;
  if (staleness(slave, master, now) > policy.promote.maxLag) return `${slave.id} is too far behind`;
  if (!slave.reading?.gtid) return `${slave.id} has no global transaction ids to wait for`;
  return undefined;
}

/** What a master that was replaced has executed and the new one has not; undefined: nothing, or it is not known. */
export function errantOf(state: VipState): string | undefined {
  const former = serverOf(state, state.demoted);
  const master = masterOf(state);
  if (former?.up !== true || includes(master.reading?.gtid, former.reading?.gtid) !== false) return undefined;
  // Its own may simply be older: a slave that replicates is read before or after its master.
  if (former.reading?.replication?.io === 'yes') return undefined;
  return `${former.id} has executed what ${master.id} has not`;
}
