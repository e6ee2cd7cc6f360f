import {
  alarmsOf,
  bestReplacement,
  canStandIn,
  failbackBlock,
  isDeathConfirmed,
  isMasterUsable,
  partedFrom,
  recentMoves,
} from './judgement.ts';
import { type ServerFacts, withProbe } from './server-facts.ts';
import {
  type Alarm,
  type FailoverPolicy,
  masterOf,
  type Observation,
  type Phase,
  serverOf,
  type VipEvent,
  type VipState,
} from './vip-state.ts';

/** A decision: another phase, and whom it leads to. */
interface Decision {
  readonly phase: Phase;
  readonly reason: string;
  /** The target from now on; undefined: none. */
  readonly target: string | undefined;
  readonly next?: string;
}

/** One observation can lead through a few phases at once, such as from suspicion over to another server. */
const MOST_STEPS = 4;

/**
 * The failover of one VIP: what is to be after an observation, and what is to be told. Pure.
 *
 * A target is only changed for evidence: it has failed as often as the policy says and, where it is the master, its
 * slaves agree or have had their time; or the master is back, and is known to have all that the slave has. Between two
 * targets there is a moment without any (`SWITCHING`), in which the old one is let go of. Every target begins an epoch.
 */
export function nextState(
  before: VipState,
  observation: Observation,
  now: number,
  policy: FailoverPolicy,
): { readonly state: VipState; readonly events: readonly VipEvent[] } {
  const events: VipEvent[] = [];
  let state = observed(before, observation, now, policy);
  const isReleased = isReleaseOf(before, observation);
  for (let step = 0; step < MOST_STEPS; step++) {
    const decision = decide(state, isReleased && step === 0, now, policy);
    if (!decision) break;
    const { phase: from } = state;
    state = decided(state, decision, now);
    const { phase: to, epoch, target, reason } = state;
    events.push({ kind: 'phase', from, to, epoch, target, reason });
  }
  const alarms = alarmsOf(state, now, policy);
  events.push(...alarmEvents(state.alarms, alarms));
  return { state: { ...state, alarms, moves: recentMoves(state, now) }, events };
}

function observed(state: VipState, observation: Observation, now: number, policy: FailoverPolicy): VipState {
  if (observation.kind !== 'probe') return state;
  const { server: id, outcome, heardAt } = observation;
  const servers = state.servers.map((server) =>
    server.id === id ? withProbe(server, outcome, now, policy, heardAt) : server,
  );
  const after = { ...state, servers };
  return { ...after, parted: partedFrom(after) };
}

/** What is said of a target counts for that one only. */
function isReleaseOf({ phase, epoch }: VipState, observation: Observation): boolean {
  return phase === 'SWITCHING' && observation.kind === 'released' && observation.epoch === epoch;
}

function decided(state: VipState, { phase, reason, target, next }: Decision, now: number): VipState {
  const isNew = target !== undefined && target !== state.target;
  const isOther = target !== undefined && target !== state.owner;
  const isMove = isOther && state.owner !== undefined;
  const after = {
    ...state,
    phase,
    since: now,
    reason,
    target,
    owner: target ?? state.owner,
    next,
    epoch: isNew ? state.epoch + 1 : state.epoch,
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
  switch (state.phase) {
    case 'INIT':
    case 'NONE':
      return withoutTarget(state, now, policy);
    case 'MASTER':
      return onMaster(state);
    case 'SUSPECT':
      return onSuspicion(state, now, policy);
    case 'DEGRADED':
      return onSlave(state, now, policy) ?? returning(state);
    case 'RECOVERING':
      return onSlave(state, now, policy) ?? onReturn(state, now, policy);
    case 'SWITCHING':
      return onSwitch(state, isReleased, now, policy);
  }
}

function withoutTarget(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const master = masterOf(state);
  if (isMasterUsable(state)) return onto(master, 'the master answers');
  const parted = master.up === true && master.failures === 0;
  const dead = master.up === false && isDeathConfirmed(state, now, policy);
  if (!parted && !dead) return undefined;
  const slave = bestReplacement(state, now, policy);
  if (slave) return onto(slave, deathOf(master));
  const known = state.servers.every(({ up }) => up !== undefined);
  return state.phase === 'INIT' && known ? nobody('no server can be used') : undefined;
}

function onMaster(state: VipState): Decision | undefined {
  const master = masterOf(state);
  if (master.failures === 0) return undefined;
  return {
    phase: 'SUSPECT',
    target: master.id,
    reason: `${master.id}: ${master.trouble?.message ?? 'it fails'}`,
  };
}

function onSuspicion(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const master = masterOf(state);
  if (master.failures === 0)
    return { phase: 'MASTER', target: master.id, reason: `${master.id} answers again` };
  if (master.up !== false || !isDeathConfirmed(state, now, policy)) return undefined;
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

function onReturn(state: VipState, now: number, policy: FailoverPolicy): Decision | undefined {
  const master = masterOf(state);
  if (master.up !== true) return { phase: 'DEGRADED', target: state.target, reason: deathOf(master) };
  if (failbackBlock(state, now, policy) !== undefined) return undefined;
  return towards(master, `${master.id} is well again`);
}

function onSwitch(
  state: VipState,
  isReleased: boolean,
  now: number,
  policy: FailoverPolicy,
): Decision | undefined {
  if (!isReleased && now - state.since < policy.releaseWithin) return undefined;
  const next = serverOf(state, state.next);
  if (next && isFit(state, next, now, policy)) return onto(next, state.reason);
  // It has changed its mind meanwhile.
  if (isMasterUsable(state)) return onto(masterOf(state), 'the master answers');
  const slave = bestReplacement(state, now, policy);
  return slave ? onto(slave, state.reason) : nobody(`${state.next} cannot be used any more`);
}

function isFit(state: VipState, server: ServerFacts, now: number, policy: FailoverPolicy): boolean {
  return server.role === 'master' ? isMasterUsable(state) : canStandIn(state, server, now, policy);
}

function onto({ id, role }: ServerFacts, reason: string): Decision {
  return { phase: role === 'master' ? 'MASTER' : 'DEGRADED', target: id, reason };
}

function towards({ id }: ServerFacts, reason: string): Decision {
  return { phase: 'SWITCHING', target: undefined, next: id, reason };
}

function nobody(reason: string): Decision {
  return { phase: 'NONE', target: undefined, reason };
}

function deathOf({ id, up, trouble }: ServerFacts): string {
  return up === false ? `${id} is down: ${trouble?.message ?? 'it does not answer'}` : `${id} cannot be used`;
}

function alarmEvents(before: readonly Alarm[], after: readonly Alarm[]): readonly VipEvent[] {
  const keys = (alarms: readonly Alarm[]) => new Set(alarms.map(keyOf));
  const [had, has] = [keys(before), keys(after)];
  return [
    ...after.filter((alarm) => !had.has(keyOf(alarm))).map((alarm): VipEvent => ({ kind: 'alarm', alarm })),
    ...before
      .filter((alarm) => !has.has(keyOf(alarm)))
      .map((alarm): VipEvent => ({ kind: 'alarm-over', alarm })),
  ];
}

/** One alarm may find other words as it lasts. */
function keyOf(alarm: Alarm): string {
  return 'server' in alarm ? `${alarm.kind} ${alarm.server}` : alarm.kind;
}
