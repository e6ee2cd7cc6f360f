import { type Decision, onto, promoting, towards } from './decision.ts';
import { includes } from './gtid.ts';
import { bestReplacement, unlinkedBack, unsafeBack } from './judgement.ts';
import { handoverBlock, mustNotPromote, NO_LOCK, promotable, promotionBlock } from './promotion.ts';
import { isFrozen, type Order, type Standing } from './standing.ts';
import { type FailoverPolicy, masterOf, serverOf, type VipState } from './vip-state.ts';

/** What comes of an order: why it is not done, or what is. */
export type Outcome =
  | { readonly refused: string }
  | {
      /** In words, for whoever has asked. */
      readonly will: string;
      readonly standing?: Partial<Standing>;
      readonly decision?: Decision;
      /** The former master follows the new one. */
      readonly isRejoined?: boolean;
    };

/** What an order would do now. Nothing is done by asking. */
export function outcomeOf(order: Order, state: VipState, now: number, policy: FailoverPolicy): Outcome {
  switch (order.do) {
    case 'switchover':
      return switchover(order.to, state, now, policy);
    case 'failback':
      return failback(order.force, state, now, policy);
    case 'promote':
      return promote(order.to, order.again, state, now, policy);
    case 'rejoin':
      return rejoin(order.server, state);
    case 'freeze':
      return {
        will: 'nobody is led elsewhere',
        standing: { frozenUntil: now + (order.time ?? Number.POSITIVE_INFINITY) },
      };
    case 'unfreeze':
      return { will: 'clients are led where they should be', standing: { frozenUntil: undefined } };
    case 'pause':
      return { will: 'new clients are held', standing: { paused: true } };
    case 'resume':
      return { will: 'new clients are served', standing: { paused: false } };
    case 'drain':
    case 'ready':
      return drain(order.do, order.server, state);
  }
}

function switchover(to: string | undefined, state: VipState, now: number, policy: FailoverPolicy): Outcome {
  const master = masterOf(state);
  if (isFrozen(state.standing, now)) return { refused: 'it is frozen' };
  if (state.target !== master.id) return { refused: `clients are not led to ${master.id}` };
  const slave = to === undefined ? bestReplacement(state, now, policy) : serverOf(state, to);
  if (!slave) return { refused: to === undefined ? 'no slave can be used' : `there is no server ${to}` };
  if (slave.role === 'master') return { refused: `${slave.id} is the master` };
  const block = handoverBlock(state, slave, now, policy);
  if (block !== undefined) return { refused: block };
  if (policy.promote) {
    const reason = `switchover from ${master.id} to ${slave.id}`;
    return { will: `${slave.id} becomes the master`, decision: promoting(slave, true, reason) };
  }
  return {
    will: `clients are led to ${slave.id}, which stays read-only, until failback`,
    decision: towards(slave, `switchover from ${master.id}`),
    standing: { away: true },
  };
}

function failback(force: boolean, state: VipState, now: number, policy: FailoverPolicy): Outcome {
  const master = masterOf(state);
  if (isFrozen(state.standing, now)) return { refused: 'it is frozen' };
  if (state.target === master.id) return { refused: `clients are led to ${master.id} already` };
  if (state.phase !== 'DEGRADED' && state.phase !== 'RECOVERING') {
    return { refused: `that cannot be done while ${state.phase}` };
  }
  if (state.lead === 'other') return { refused: NO_LOCK };
  const block = unsafeBack(state, now, policy) ?? (force ? undefined : unlinkedBack(state));
  if (block !== undefined) return { refused: block };
  return {
    will: `clients are led back to ${master.id}`,
    decision: towards(master, `failback to ${master.id}`),
    standing: { away: false },
  };
}

function promote(
  to: string | undefined,
  again: boolean,
  state: VipState,
  now: number,
  policy: FailoverPolicy,
): Outcome {
  const master = masterOf(state);
  if (state.phase !== 'DEGRADED' && state.phase !== 'NONE') {
    const hint = state.target === master.id ? ': a master that works hands over by switchover' : '';
    return { refused: `that cannot be done while ${state.phase}${hint}` };
  }
  const named = to === undefined ? promotable(state, now, policy) : { server: serverOf(state, to) };
  const slave = 'server' in named ? named.server : bestReplacement(state, now, policy);
  if (!slave) return { refused: 'why' in named ? named.why : `there is no server ${to}` };
  const block = promotionBlock(state, slave, now, policy, again);
  if (block !== undefined) return { refused: block };
  const reason = `promotion of ${slave.id} in place of ${master.id}`;
  return { will: `${slave.id} becomes the master`, decision: promoting(slave, false, reason) };
}

/** Only one that follows is a slave again; and what it has that the master has not is for a human to look at. */
function rejoin(id: string, state: VipState): Outcome {
  const master = masterOf(state);
  const former = serverOf(state, state.demoted);
  if (former?.id !== id) return { refused: `${id} is no master of before` };
  // The others would not hear of it.
  if (mustNotPromote(state)) return { refused: NO_LOCK };
  if (former.up !== true || !former.reading) return { refused: `${id} does not answer` };
  if (former.reading.readOnly !== true) return { refused: `${id} takes writes` };
  const { io, sql } = former.reading.replication ?? {};
  if (io !== 'yes' || sql !== true) {
    const has = includes(master.reading?.gtid, former.reading.gtid);
    return {
      refused: has === false ? `${id} has executed what ${master.id} has not` : `${id} does not replicate`,
    };
  }
  const after = { ...state, demoted: undefined };
  return {
    will: `${id} is a slave of ${master.id}`,
    isRejoined: true,
    ...(state.phase === 'PROMOTED' ? { decision: onto(master, `${id} is its slave`, after) } : {}),
  };
}

function drain(what: 'drain' | 'ready', id: string, state: VipState): Outcome {
  const server = serverOf(state, id);
  const others = state.standing.drained.filter((one) => one !== id);
  if (!server) return { refused: `there is no server ${id}` };
  if (what === 'ready') return { will: `${id} is used`, standing: { drained: others } };
  if (server.role === 'master') return { refused: `${id} is the master: switchover first` };
  if (state.target === id) return { refused: `clients are led to ${id}: failback first` };
  return { will: `${id} is not used`, standing: { drained: [...others, id] } };
}
