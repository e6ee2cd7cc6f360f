/**
 * A server's state: three facts from three sources, combined in one place. What discovery says, what health
 * says and what the operator says never overwrite each other (HAProxy keeps an operational and an
 * administrative state for the same reason); together they decide about work:
 *
 *   present · up · ready       → open      takes new work
 *   anything else, was open    → draining  finishes old work, until idle or the deadline
 *   drained                    → closed    holds nothing; a closed server that is absent is gone
 */
export interface ServerFacts {
  readonly discovery: { readonly present: boolean } & Said;
  readonly health: { readonly up: boolean } & Said;
  readonly operator: { readonly mode: OperatorMode } & Said;
}

export type OperatorMode = 'ready' | 'drain' | 'maint';

/** What an operator has said of a server, whether or not it is there. */
export interface StandingOrder {
  readonly mode: OperatorMode;
  readonly why: string;
}

/** Why a source says what it says, and since when (clock ms). */
export interface Said {
  readonly why: string;
  readonly since: number;
}

export type Work = 'open' | 'draining' | 'closed';

export interface ServerState {
  readonly facts: ServerFacts;
  readonly work: Work;
  /** Clock ms of the last change of `work`. */
  readonly since: number;
  /** So many servers are down that health has no say. */
  readonly panic: boolean;
  /** Draining for an operator for as long as he says: clients that belong to it still come. */
  readonly keeps?: boolean;
  /** Clock ms at which a drain is ended by force; undefined unless draining, and while it keeps its clients. */
  readonly drainDeadline: number | undefined;
}

export type ServerEvent =
  | { readonly kind: 'discovery'; readonly present: boolean; readonly why: string }
  | { readonly kind: 'health'; readonly up: boolean; readonly why: string }
  | { readonly kind: 'operator'; readonly mode: OperatorMode; readonly why: string }
  | { readonly kind: 'panic'; readonly on: boolean; readonly why: string }
  /** The data plane holds no more work of it. */
  | { readonly kind: 'idle' }
  /** Time passed: a drain that has met its deadline ends. */
  | { readonly kind: 'tick' };

const AWAITED = 'waits for its first good check';

/**
 * A server that discovery has just found: up until a check says otherwise, as HAProxy starts its servers, and ready
 * unless an operator had said otherwise when it was there before.
 * @param up false: down until a check says otherwise
 * @param sticky clients belong to it
 */
export function newServerState(
  why: string,
  now: number,
  operator: ServerFacts['operator'] = { mode: 'ready', why: '', since: now },
  up = true,
  sticky = false,
): ServerState {
  const discovery = { present: true, why, since: now };
  const facts = { discovery, health: { up, why: up ? 'not checked yet' : AWAITED, since: now }, operator };
  const work = mayWork(facts, false) ? 'open' : 'closed';
  const state: ServerState = { facts, work, since: now, panic: false, drainDeadline: undefined };
  return sticky && mayKeep(facts, false) ? { ...state, work: 'draining', keeps: true } : state;
}

/**
 * The one transition function. Returns the same object when the event changes nothing.
 * @param drain how long a server that loses its right to work may finish what it has, ms
 * @param sticky clients belong to it: they still come while an operator drains it
 */
export function nextState(
  state: ServerState,
  event: ServerEvent,
  now: number,
  drain: number,
  sticky = false,
): ServerState {
  if (event.kind === 'idle') return state.work === 'draining' && !state.keeps ? closed(state, now) : state;
  if (event.kind === 'tick') {
    const over = state.drainDeadline !== undefined && now >= state.drainDeadline;
    return over ? closed(state, now) : state;
  }
  const panic = event.kind === 'panic' ? event.on : state.panic;
  const facts = event.kind === 'panic' ? state.facts : nextFacts(state.facts, event, now);
  if (facts === state.facts && panic === state.panic) return state;
  const next = { ...state, facts, panic };
  if (mayWork(facts, panic)) {
    if (state.work === 'open') return next;
    return { ...withoutKeeping(next), work: 'open', since: now, drainDeadline: undefined };
  }
  if (sticky && mayKeep(facts, panic)) {
    if (state.keeps) return next;
    const since = state.work === 'draining' ? state.since : now;
    return { ...next, work: 'draining', since, keeps: true, drainDeadline: undefined };
  }
  if (state.work !== 'open' && !state.keeps) return next;
  const since = state.work === 'open' ? now : state.since;
  return { ...withoutKeeping(next), work: 'draining', since, drainDeadline: now + drain };
}

/** Whether it would work but for an operator who drains it. */
function mayKeep(facts: ServerFacts, panic: boolean): boolean {
  return facts.operator.mode === 'drain' && facts.discovery.present && (facts.health.up || panic);
}

function withoutKeeping({ keeps: _, ...state }: ServerState): ServerState {
  return state;
}

/** Whether the three facts together allow new work; in a panic what health says does not count. */
export function mayWork(facts: ServerFacts, panic: boolean): boolean {
  return facts.discovery.present && (facts.health.up || panic) && facts.operator.mode === 'ready';
}

/** Nothing is known of it any more and it holds nothing: it can be forgotten. */
export function isGone(state: ServerState): boolean {
  return state.work === 'closed' && !state.facts.discovery.present;
}

/** The fact that keeps a server from new work; the operator's word comes first, then discovery's. */
export function reasonOf(facts: ServerFacts): { readonly source: keyof ServerFacts; readonly why: string } {
  if (facts.operator.mode !== 'ready') return { source: 'operator', why: facts.operator.why };
  if (!facts.discovery.present) return { source: 'discovery', why: facts.discovery.why };
  if (!facts.health.up) return { source: 'health', why: facts.health.why };
  // Open: the youngest fact is the one that let it in.
  const { discovery, health, operator } = facts;
  if (operator.since > discovery.since && operator.since >= health.since) {
    return { source: 'operator', why: operator.why };
  }
  return health.since > discovery.since
    ? { source: 'health', why: health.why }
    : { source: 'discovery', why: discovery.why };
}

function closed(state: ServerState, now: number): ServerState {
  return { ...withoutKeeping(state), work: 'closed', since: now, drainDeadline: undefined };
}

function nextFacts(
  facts: ServerFacts,
  event: Exclude<ServerEvent, { kind: 'idle' | 'tick' | 'panic' }>,
  now: number,
): ServerFacts {
  const said = { why: event.why, since: now };
  switch (event.kind) {
    case 'discovery':
      if (facts.discovery.present === event.present) return facts;
      return { ...facts, discovery: { present: event.present, ...said } };
    case 'health':
      if (facts.health.up === event.up) return facts;
      return { ...facts, health: { up: event.up, ...said } };
    case 'operator':
      if (facts.operator.mode === event.mode) return facts;
      return { ...facts, operator: { mode: event.mode, ...said } };
  }
}
