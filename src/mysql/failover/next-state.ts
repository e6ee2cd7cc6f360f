import { alarmEvents, alarmsOf } from './alarms.ts';
import { type Decision, nobody, onto, promoting, towards } from './decision.ts';
import {
  agreementEvents,
  awaitsWord,
  following,
  isElsewhere,
  ledTo,
  toldByOther,
  withAgreed,
} from './following.ts';
import {
  bestReplacement,
  canStandIn,
  failbackBlock,
  isDeathConfirmed,
  isFit,
  isGivenUp,
  isMasterUsable,
  partedFrom,
  recentMoves,
} from './judgement.ts';
import { outcomeOf } from './orders.ts';
import { promotable } from './promotion.ts';
import { isWritable, type ServerFacts, withProbe } from './server-facts.ts';
import { isFrozen } from './standing.ts';
import {
  type FailoverPolicy,
  masterOf,
  type Observation,
  type Promotion,
  serverOf,
  type VipEvent,
  type VipState,
} from './vip-state.ts';

const LED = 'another Vane leads there';

/** One observation can lead through a few phases at once, such as from suspicion over to another server. */
const MOST_STEPS = 4;

/**
 * The failover of one VIP: what is to be after an observation, and what is to be told. Pure.
 *
 * A target is only changed for evidence: it has failed as often as the policy says and, where it is the master, its
 * slaves agree or have had their time; or the master is back, and is known to have all that the slave has. Between two
 * targets there is a moment without any (`SWITCHING`), in which the old one is let go of. Every target begins an epoch.
 * Where another proxy decides, its word is evidence of when to move, though not of where it is safe to.
 * Orders that cannot be followed change nothing; see {@link outcomeOf}.
 */
export function nextState(
  before: VipState,
  observation: Observation,
  now: number,
  policy: FailoverPolicy,
): { readonly state: VipState; readonly events: readonly VipEvent[] } {
  const events: VipEvent[] = agreementEvents(before, observation);
  let state = observed(before, observation, now, policy);
  const take = (decision: Decision) => {
    const { phase: from } = state;
    state = decided(state, decision, now);
    const { phase: to, epoch, target, reason } = state;
    events.push({ kind: 'phase', from, to, epoch, target, reason });
  };
  const told = toldBy(observation, state, now, policy);
  if (told) {
    state = told.state;
    if (told.decision) take(told.decision);
  }
  const isReleased = isReleaseOf(before, observation);
  let awaitsSince: number | undefined;
  for (let step = 0; step < MOST_STEPS; step++) {
    const decision = decide(state, isReleased && step === 0, now, policy);
    if (!decision || isHeldBack(state, decision, now)) break;
    awaitsSince = awaitsWord(state, decision, now);
    if (awaitsSince !== undefined) break;
    take(decision);
  }
  const alarms = alarmsOf(state, now, policy);
  events.push(...alarmEvents(state.alarms, alarms));
  return { state: { ...state, awaitsSince, alarms, moves: recentMoves(state, now) }, events };
}

function observed(state: VipState, observation: Observation, now: number, policy: FailoverPolicy): VipState {
  if (observation.kind === 'agent') return withAgent(state, observation.server, observation.isLost, now);
  if (observation.kind === 'lead') return { ...state, lead: observation.lead };
  if (observation.kind === 'agreed') return withAgreed(state, observation.agreed);
  if (observation.kind !== 'probe') return state;
  const { server: id, outcome, heardAt } = observation;
  const servers = state.servers.map((server) =>
    server.id === id ? withProbe(server, outcome, now, policy, heardAt) : server,
  );
  const after = { ...state, servers };
  return { ...after, parted: partedFrom(after) };
}

function withAgent(state: VipState, id: string, isLost: boolean, now: number): VipState {
  const servers = state.servers.map((server): ServerFacts => {
    if (server.id !== id) return server;
    return { ...server, agentLostSince: isLost ? (server.agentLostSince ?? now) : undefined };
  });
  return { ...state, servers };
}

/** What is decided at once by what has been said, rather than by what has been seen. */
function toldBy(
  observation: Observation,
  state: VipState,
  now: number,
  policy: FailoverPolicy,
): { readonly state: VipState; readonly decision?: Decision } | undefined {
  if (observation.kind === 'order') {
    const outcome = outcomeOf(observation.order, state, now, policy);
    if ('refused' in outcome) return undefined;
    const { standing, decision, isRejoined = false } = outcome;
    const after = {
      ...state,
      standing: { ...state.standing, ...standing },
      demoted: isRejoined ? undefined : state.demoted,
    };
    return { state: after, ...(decision ? { decision } : {}) };
  }
  if (observation.kind === 'told') return toldByOther(observation, state);
  const { promotion } = state;
  if (state.phase === 'INIT' && promotion) return interrupted(state, promotion, now);
  if (state.phase !== 'PROMOTING' || !promotion) return undefined;
  if (observation.kind === 'promoted') return promoted(state, promotion, observation.isFollowed, now);
  if (observation.kind !== 'not-promoted') return undefined;
  const { why } = observation;
  const { planned } = promotion;
  const after = planned ? state : { ...state, notPromoted: why };
  const decision = withoutTarget(after, now, policy) ?? nobody(why);
  return { state: after, decision: planned ? { ...decision, reason: why } : decision };
}

/** A restart came in the middle of a promotion: whether it was done shows in who takes writes. */
function interrupted(state: VipState, promotion: Promotion, now: number) {
  const server = serverOf(state, promotion.server);
  if (server?.up === undefined) return undefined;
  return isWritable(server)
    ? promoted(state, promotion, false, now)
    : { state: { ...state, promotion: undefined, notPromoted: 'a restart came between' } };
}

/** The roles of the two are exchanged, and what is known of them is what was done to them. */
function promoted(state: VipState, { server: id, planned }: Promotion, isFollowed: boolean, now: number) {
  const former = masterOf(state);
  const servers = state.servers.map((server): ServerFacts => {
    if (server.id === id) return { ...withMode(server, false), role: 'master' };
    if (server.id !== former.id) return server;
    // One that handed over takes no writes any more, and has all there was.
    return { ...(planned ? { ...withMode(server, true), freshAt: now } : server), role: 'slave' };
  });
  const after = {
    ...state,
    servers,
    demoted: isFollowed ? undefined : former.id,
    promotedAt: now,
    notPromoted: undefined,
  };
  return { state: after, decision: onto(masterOf(after), `${id} was promoted`, after) };
}

function withMode(server: ServerFacts, readOnly: boolean): ServerFacts {
  const { reading } = server;
  return reading ? { ...server, reading: { ...reading, readOnly, replication: undefined } } : server;
}

/** While it is frozen nobody is led elsewhere; what was left before may still be gone back to. */
function isHeldBack(state: VipState, { target }: Decision, now: number): boolean {
  const { phase, owner } = state;
  if (!isFrozen(state.standing, now) || target === state.target) return false;
  const isUnderWay = phase === 'SWITCHING' || phase === 'PROMOTING' || owner === undefined;
  return !(state.target === undefined && (isUnderWay || target === owner));
}

/** What is said of a target counts for that one only. */
function isReleaseOf({ phase, since }: VipState, observation: Observation): boolean {
  return phase === 'SWITCHING' && observation.kind === 'released' && observation.since === since;
}

function decided(state: VipState, decision: Decision, now: number): VipState {
  const { phase, reason, target, next, promotion } = decision;
  const isNew = target !== undefined && target !== state.target;
  const isOther = target !== undefined && target !== state.owner;
  const isMove = isOther && state.owner !== undefined;
  const isMaster = isOther && serverOf(state, target)?.role === 'master';
  const after = {
    ...state,
    phase,
    since: now,
    reason,
    target,
    owner: target ?? state.owner,
    next,
    promotion,
    // Back with the master, what was said about being away from it is over.
    ...(isMaster ? { notPromoted: undefined, standing: { ...state.standing, away: false } } : {}),
    // What is shared counts when it is agreed on.
    epoch: isNew && state.lead === undefined ? state.epoch + 1 : state.epoch,
    strayed: isNew && isElsewhere(state, target) ? state.agreed?.epoch : state.strayed,
    moves: isMove ? [...state.moves, now] : state.moves,
    // It is the last target that others are compared with.
    parted: isOther ? undefined : state.parted,
  };
  return { ...after, parted: partedFrom(after) };
}

function decide(
  state: VipState,
  isReleased: boolean,
  now: number,
  policy: FailoverPolicy,
): Decision | undefined {
  const led = following(state, now, policy);
  switch (state.phase) {
    case 'INIT':
    case 'NONE':
      return withoutTarget(state, now, policy);
    case 'SWITCHING':
      return onSwitch(state, led, isReleased, now, policy);
    case 'PROMOTING':
      return undefined;
    default:
      return led ? towards(led, LED) : withTarget(state, now, policy);
  }
}

function withTarget(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  switch (state.phase) {
    case 'MASTER':
    case 'PROMOTED':
      return onMaster(state, now, policy);
    case 'SUSPECT':
      return onSuspicion(state, now, policy);
    case 'DEGRADED':
      return onSlave(state, now, policy) ?? returning(state) ?? late(state, now, policy);
    case 'RECOVERING':
      return onSlave(state, now, policy) ?? onReturn(state, now, policy);
    default:
      return undefined;
  }
}

function withoutTarget(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const master = masterOf(state);
  const owner = serverOf(state, state.owner);
  const isLeft = state.phase === 'INIT' && owner?.role === 'slave';
  if (state.phase === 'INIT' && (state.promotion || isUnknown(ledTo(state)))) return undefined;
  // Before the restart clients were led there; that the master is there says nothing yet of what it lacks.
  if (isLeft && isUnknown(owner)) return undefined;
  const led = following(state, now, policy);
  if (led) return onto(led, LED, state);
  if (isLeft && canStandIn(state, owner, now, policy))
    return onto(owner, 'as it was before the restart', state);
  if (isMasterUsable(state)) return onto(master, 'the master answers', state);
  const parted = master.up === true && master.failures === 0;
  const dead = master.up === false && isDeathConfirmed(state, now, policy);
  if (!parted && !dead) return undefined;
  const slave = bestReplacement(state, now, policy);
  if (slave) return onto(slave, deathOf(master), state);
  const known = state.servers.every(({ up }) => up !== undefined);
  return state.phase === 'INIT' && known ? nobody('no server can be used') : undefined;
}

function isUnknown(server: ServerFacts | undefined): boolean {
  return server !== undefined && server.up === undefined;
}

function onMaster(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const master = masterOf(state);
  if (master.failures === 0) {
    // One that works is only left for another that does.
    const slave = isGivenUp(master, now, policy) ? bestReplacement(state, now, policy) : undefined;
    return slave && towards(slave, `the registry has lost the agent of ${master.id}`);
  }
  return {
    phase: 'SUSPECT',
    target: master.id,
    reason: `${master.id}: ${master.trouble?.message ?? 'it fails'}`,
  };
}

function onSuspicion(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const master = masterOf(state);
  if (master.failures === 0) return onto(master, `${master.id} answers again`, state);
  if (master.up !== false || !isDeathConfirmed(state, now, policy)) return undefined;
  const better = policy.promote && promotable(state, now, policy);
  if (better && 'server' in better) return promoting(better.server, false, deathOf(master));
  const slave = bestReplacement(state, now, policy);
  return slave ? towards(slave, deathOf(master)) : nobody(`${deathOf(master)}, and no slave can stand in`);
}

/** While a slave is the target: whether it can go on being that. */
function onSlave(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const slave = serverOf(state, state.target);
  if (slave?.up !== false) return undefined;
  const master = masterOf(state);
  if (isMasterUsable(state)) return towards(master, deathOf(slave));
  const other = bestReplacement(state, now, policy);
  return other ? towards(other, deathOf(slave)) : nobody(`${deathOf(slave)}, and nobody can stand in`);
}

function returning(state: VipState): Decision | undefined {
  const master = masterOf(state);
  if (master.up !== true) return undefined;
  return { phase: 'RECOVERING', target: state.target, reason: `${master.id} answers again` };
}

/** It may take longer to be certain that the master is dead than clients should wait. */
function late(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const master = masterOf(state);
  if (!policy.promote || state.notPromoted !== undefined || state.standing.away) return undefined;
  const found = promotable(state, now, policy);
  return 'server' in found ? promoting(found.server, false, deathOf(master)) : undefined;
}

function onReturn(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const master = masterOf(state);
  if (master.up !== true) return { phase: 'DEGRADED', target: state.target, reason: deathOf(master) };
  if (failbackBlock(state, now, policy) !== undefined) return undefined;
  return towards(master, `${master.id} is well again`);
}

function onSwitch(
  state: VipState,
  led: ServerFacts | undefined,
  isReleased: boolean,
  now: number,
  policy: FailoverPolicy,
): Decision | undefined {
  if (!isReleased && now - state.since < policy.releaseWithin) return undefined;
  const next = led ?? serverOf(state, state.next);
  if (next && isFit(state, next, now, policy)) return onto(next, state.reason, state);
  // It has changed its mind meanwhile.
  if (isMasterUsable(state)) return onto(masterOf(state), 'the master answers', state);
  const slave = bestReplacement(state, now, policy);
  return slave ? onto(slave, state.reason, state) : nobody(`${state.next} cannot be used any more`);
}

function deathOf({ id, up, trouble }: ServerFacts): string {
  return up === false ? `${id} is down: ${trouble?.message ?? 'it does not answer'}` : `${id} cannot be used`;
}
