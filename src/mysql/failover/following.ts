import { type Decision, onto, towards } from './decision.ts';
import { isFit, recentMoves, stableTime, unsafeBack } from './judgement.ts';
import type { ServerFacts } from './server-facts.ts';
import {
  type AgreedTarget,
  type FailoverPolicy,
  type Observation,
  serverOf,
  type VipEvent,
  type VipState,
} from './vip-state.ts';

/**
 * How long a server that is down is kept as the target until the one that decides has said so, too: it may see it a
 * probe later, or be dead itself. ms
 */
const WORD_WITHIN_MS = 2_000;

/** Where the one that decides leads; undefined: that is this proxy, or nobody has said. */
export function ledTo({ lead, phase, agreed, servers }: VipState): ServerFacts | undefined {
  // Nobody decides, but this one knows nothing better.
  const isTaken = lead === 'other' || (lead === 'nobody' && phase === 'INIT');
  return isTaken ? serverOf({ servers }, agreed?.target) : undefined;
}

/** Whether this target is not where the one that decides leads. */
export function isElsewhere(state: VipState, target: string): boolean {
  const led = ledTo(state);
  return led !== undefined && led.id !== target;
}

/**
 * Where this proxy has to go because the one that decides leads there; undefined: it is there, or must not go there yet
 * by what it sees itself.
 */
export function following(state: VipState, now: number, policy: FailoverPolicy): ServerFacts | undefined {
  const led = ledTo(state);
  if (!led || led.id === state.target || !isFit(state, led, now, policy)) return undefined;
  if (state.target === undefined) return led;
  if (led.role === 'master' && unsafeBack(state, now, policy) !== undefined) return undefined;
  if (state.strayed !== state.agreed?.epoch) return led;
  // Its way there has failed before: it would come and go with that.
  const wanted = stableTime(recentMoves(state, now).length, policy.failback);
  return now - (led.steadySince ?? now) >= wanted ? led : undefined;
}

/**
 * Since when this proxy has been waiting for the word of the one that decides before it does this; undefined: it need
 * not wait. What works is never left without it.
 */
export function awaitsWord(state: VipState, { target, next }: Decision, now: number): number | undefined {
  const led = ledTo(state);
  if (!led || state.target !== led.id || target === led.id || next === led.id) return undefined;
  const since = state.awaitsSince ?? now;
  return led.up === false && now - since >= WORD_WITHIN_MS ? undefined : since;
}

/** What has been agreed on, by the one that decides. */
export function withAgreed(state: VipState, agreed: AgreedTarget): VipState {
  const { away } = state.lead === 'self' ? state.standing : agreed;
  const epoch = Math.max(state.epoch, agreed.epoch);
  return { ...state, agreed, epoch, standing: { ...state.standing, away } };
}

/** What of it is to be told in the log. */
export function agreementEvents({ lead, agreed }: VipState, observation: Observation): VipEvent[] {
  if (observation.kind === 'lead' && observation.lead !== lead) return [observation];
  if (observation.kind === 'agreed' && observation.agreed.epoch !== agreed?.epoch) return [observation];
  return [];
}

/** Who promotes knows best; what is older than what is known here is none of that. */
export function toldByOther(
  { master: id, demoted, promotedAt }: Extract<Observation, { kind: 'told' }>,
  state: VipState,
): { readonly state: VipState; readonly decision?: Decision } | undefined {
  const known = state.promotedAt ?? Number.NEGATIVE_INFINITY;
  const server = serverOf(state, id);
  if (!server || state.lead === 'self' || state.phase === 'PROMOTING') return undefined;
  if (promotedAt < known) return undefined;
  if (server.role === 'master') {
    const same = { ...state, demoted, promotedAt };
    const isJoined = state.phase === 'PROMOTED' && demoted === undefined;
    return isJoined
      ? { state: same, decision: onto(server, 'the former master is its slave', same) }
      : { state: same };
  }
  const servers = state.servers.map(
    (one): ServerFacts => ({ ...one, role: one.id === id ? 'master' : 'slave' }),
  );
  const after = { ...state, servers, demoted, promotedAt, notPromoted: undefined, parted: undefined };
  if (state.phase === 'INIT') return { state: { ...after, owner: id } };
  return { state: after, decision: towards(server, `another Vane has made ${id} the master`) };
}
