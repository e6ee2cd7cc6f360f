import { type Candidate, idOf } from './answers.ts';
import { type ServerSnapshot, sameSnapshot } from './server.ts';
import {
  isGone,
  newServerState,
  nextState,
  type ServerEvent,
  type ServerFacts,
  type ServerState,
  type Work,
} from './state.ts';
import { type Adjustment, adjusted, NO_ADJUSTMENT, type OwnShare, sameAdjustment } from './weights.ts';

/** A server of a backend at one moment; a change makes a new object. */
export interface Member {
  readonly id: string;
  /** As the data plane knows it. It is `draining` too while closed, when the plane does not hear of it. */
  readonly snapshot: ServerSnapshot;
  /** What its source says of its share, and what else is said of it: the snapshot has what comes of both. */
  readonly own: OwnShare;
  readonly adjustment: Adjustment;
  readonly state: ServerState;
  /** Times it stopped being open. */
  readonly downs: number;
  /** Clock ms since which it has not been open; undefined: it is. */
  readonly downSince: number | undefined;
  /** ms it was not open in all, before `downSince`; see {@link downtime}. */
  readonly earlierDowntime: number;
}

/** A change of what a server may do, and why: one line in the log. */
export interface Transition {
  /** As it is after the change. */
  readonly member: Member;
  readonly from: Work | 'new';
  readonly to: Work | 'gone';
  /** Who brought it about. */
  readonly source: 'discovery' | 'health' | 'operator' | 'panic' | 'drain';
  readonly why: string;
  /** How a drain ended; undefined if none did, or if it was taken back. */
  readonly ended: 'idle' | 'deadline' | undefined;
  /** Clock ms. */
  readonly at: number;
}

/** ms it has not been open in all, now included. */
export function downtime(member: Member, now: number): number {
  const spell = member.downSince === undefined ? 0 : now - member.downSince;
  return member.earlierDowntime + spell;
}

/** What a server is called, and its place among the others: see {@link ServerSnapshot}. */
type Called = Pick<ServerSnapshot, 'name' | 'rank'>;

/**
 * A server that discovery has just found.
 * @param operator what was said of it when it was there before
 */
export function newMember(
  candidate: Candidate,
  called: Called,
  why: string,
  now: number,
  operator?: ServerFacts['operator'],
): Member {
  const state = newServerState(why, now, operator, !candidate.probeFirst, candidate.sticky);
  const open = state.work === 'open';
  return {
    id: idOf(candidate),
    snapshot: keeping(snapshotOf(candidate, called, open ? 'open' : 'draining', NO_ADJUSTMENT), state.keeps),
    own: shareOf(candidate),
    adjustment: NO_ADJUSTMENT,
    state,
    downs: 0,
    downSince: open ? undefined : now,
    earlierDowntime: 0,
  };
}

/** The member with what a source now says of it; the same object when that is nothing new. */
export function described(member: Member, candidate: Candidate, called: Called): Member {
  const said = snapshotOf(candidate, called, member.snapshot.admission, member.adjustment);
  const snapshot = keeping(said, member.snapshot.keeps);
  const own = shareOf(candidate);
  const same = own.weight === member.own.weight && own.maxconn === member.own.maxconn;
  return same && sameSnapshot(snapshot, member.snapshot) ? member : { ...member, snapshot, own };
}

/** The member with what else is now said of its share; the same object when that is nothing new. */
export function readjusted(member: Member, adjustment: Adjustment): Member {
  if (sameAdjustment(member.adjustment, adjustment)) return member;
  const snapshot = { ...member.snapshot, ...adjusted(member.own, adjustment) };
  return { ...member, adjustment, snapshot };
}

/**
 * The member after an event; the same object when that changes nothing.
 * @param drain how long it may finish what it has, ms; 0: it is closed at once, without a drain
 * @param sticky clients belong to it
 */
export function afterEvent(
  member: Member,
  event: ServerEvent,
  now: number,
  drain: number,
  sticky = false,
): Member {
  let state = nextState(member.state, event, now, drain, sticky);
  if (state === member.state) return member;
  const left = member.state.work === 'open' && state.work !== 'open';
  const lost = left || (member.state.keeps && !state.keeps);
  if (lost && drain <= 0) state = nextState(state, { kind: 'tick' }, now, drain);
  const admission = state.work === 'open' ? 'open' : 'draining';
  const changed = { ...member, state };
  const kept = keeping(member.snapshot, state.keeps);
  if (member.snapshot.admission === admission) {
    return kept === member.snapshot ? changed : { ...changed, snapshot: kept };
  }
  const snapshot = { ...kept, admission } as const;
  return left
    ? { ...changed, snapshot, downs: member.downs + 1, downSince: now }
    : { ...changed, snapshot, downSince: undefined, earlierDowntime: downtime(member, now) };
}

/** What is to be said about an event; undefined when it did not change what the server may do. */
export function transitionOf(
  before: Member,
  after: Member,
  event: ServerEvent,
  now: number,
): Transition | undefined {
  const from = before.state.work;
  const to = isGone(after.state) ? 'gone' : after.state.work;
  if (from === to) return undefined;
  return { member: after, from, to, at: now, ...causeOf(event) };
}

/** The event that flips the combination of the three facts is the one that decided it. */
function causeOf(event: ServerEvent): Pick<Transition, 'source' | 'why' | 'ended'> {
  switch (event.kind) {
    case 'idle':
      return { source: 'drain', why: 'no work left', ended: 'idle' };
    case 'tick':
      return { source: 'drain', why: 'drain time over', ended: 'deadline' };
    default:
      return { source: event.kind, why: event.why, ended: undefined };
  }
}

function snapshotOf(
  candidate: Candidate,
  { name, rank }: Called,
  admission: ServerSnapshot['admission'],
  adjustment: Adjustment,
): ServerSnapshot {
  const { address, port, tier, backup, tls, sendProxy, minconn, maxqueue, observe, cookie } = candidate;
  const id = idOf(candidate);
  const share = adjusted(candidate, adjustment);
  const limits = {
    ...(minconn ? { minconn } : {}),
    ...(maxqueue ? { maxqueue } : {}),
    ...(observe ? { observe } : {}),
    ...(cookie ? { cookie } : {}),
    ...(sendProxy ? { sendProxy } : {}),
  };
  return { id, name, address, port, ...share, ...limits, tier, backup, tls, rank, admission };
}

/** The snapshot of a server that keeps its clients while it is drained, or does not. */
function keeping(snapshot: ServerSnapshot, keeps: boolean | undefined): ServerSnapshot {
  if (Boolean(snapshot.keeps) === Boolean(keeps)) return snapshot;
  const { keeps: _, ...plain } = snapshot;
  return keeps ? { ...plain, keeps: true } : plain;
}

function shareOf({ weight, maxconn }: Candidate): OwnShare {
  return { weight, maxconn };
}
