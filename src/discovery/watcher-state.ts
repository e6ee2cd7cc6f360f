import type { VaneError } from '../core/errors.ts';
import { type DiscoveredSet, discoveredSet, idOf, isSameSet } from './discovered-set.ts';
import { type GuardMemory, type GuardRules, guard, NO_MEMORY } from './guards.ts';
import type { Endpoint, Resolution } from './resolution.ts';

/** What is known of one name, and how its look-ups went. */
export interface WatcherState {
  /** The set in force; undefined before the first good answer. The same object until it changes. */
  readonly set: DiscoveredSet | undefined;
  /** Servers in the last good answer, which guards may not have put in force. */
  readonly servers: number | undefined;
  /** Clock ms of the last good answer. */
  readonly lastGood: number | undefined;
  /** Why the last look-up failed; undefined if it did not. */
  readonly error: VaneError | undefined;
  /** Clock ms of the first of the unbroken row of failures. */
  readonly failingSince: number | undefined;
  /** Why a part of the last good answer had to be taken from the one before. */
  readonly gap: VaneError | undefined;
  /** Look-ups by how they ended: with servers, without any, not at all. */
  readonly results: { readonly ok: number; readonly empty: number; readonly failed: number };
  /** The last good answer was empty, and the set before it stays: `on-empty`. */
  readonly kept: boolean;
  /** Servers that the last good answer does not have any more, and that stay for now: `max-removal`. */
  readonly held: readonly Endpoint[];
  /** Clock ms at which a guard will let go of more; undefined: none holds anything, or it does so for good. */
  readonly until: number | undefined;
  /** What the guards remember. */
  readonly memory: GuardMemory;
  /** Nobody has answered for so long that what is known may be wrong by now. */
  readonly stale: boolean;
  /** The first look-up has ended, one way or another. */
  readonly settled: boolean;
}

export const NOTHING_KNOWN: WatcherState = {
  set: undefined,
  servers: undefined,
  lastGood: undefined,
  error: undefined,
  failingSince: undefined,
  gap: undefined,
  results: { ok: 0, empty: 0, failed: 0 },
  kept: false,
  held: [],
  until: undefined,
  memory: NO_MEMORY,
  stale: false,
  settled: false,
};

/** How the answers of one name are taken. */
export interface AnswerRules extends GuardRules {
  /** ms without a good answer after which what is known is stale. */
  readonly staleAfter: number;
  /** What checks say of a server. */
  readonly isDown: (endpoint: Endpoint) => boolean;
}

/** Takes in how one look-up ended. A failure changes nothing about the set, unless a hold of the user has run out. */
export function nextWatcherState(
  state: WatcherState,
  resolution: Resolution,
  rules: AnswerRules,
  now: number,
): WatcherState {
  const { results } = state;
  if (!resolution.ok) {
    const failingSince = state.failingSince ?? now;
    return {
      ...state,
      ...(resolution.remaining && inForce(state, discoveredSet(resolution.remaining), rules, now)),
      error: resolution.error,
      failingSince,
      stale: now - (state.lastGood ?? failingSince) >= rules.staleAfter,
      results: { ...results, failed: results.failed + 1 },
      settled: true,
    };
  }
  const answer = discoveredSet(resolution);
  const servers = answer.endpoints.length;
  return {
    ...inForce(state, answer, rules, now),
    servers,
    lastGood: resolution.answeredAt ?? now,
    error: undefined,
    failingSince: undefined,
    gap: resolution.gap,
    results: servers > 0 ? { ...results, ok: results.ok + 1 } : { ...results, empty: results.empty + 1 },
    stale: false,
    settled: true,
  };
}

/** The set in force once the name stands for these servers. The set from before, where that is the same. */
function inForce(
  { set, memory }: WatcherState,
  answer: DiscoveredSet,
  rules: AnswerRules,
  now: number,
): Pick<WatcherState, 'set' | 'kept' | 'held' | 'until' | 'memory'> {
  // A hint stands in for an answer only until there is one.
  const before = set?.hint ? undefined : set;
  const guarded = guard(rules, memory, before, answer, rules.isDown, now);
  const unchanged = before !== undefined && isSameSet(before, guarded.set);
  return { ...guarded, set: unchanged ? before : guarded.set };
}

/** What is worth a line in the log: one when something begins and one when it ends, not one per look-up. */
export type WatcherEvent =
  /** Look-ups have begun to fail; the last good set stays. */
  | { readonly kind: 'failing'; readonly error: VaneError }
  /** They work again, after this many ms. */
  | { readonly kind: 'recovered'; readonly after: number }
  /** Nobody has answered for so many ms; undefined: not once. */
  | { readonly kind: 'stale'; readonly age: number | undefined }
  /** An empty answer is held back: this many servers stay, for so many ms or for good. */
  | { readonly kind: 'kept'; readonly servers: number; readonly lasts: number | undefined }
  /**
   * So many servers have vanished at once that these stay for now, with others that did before, `total` in all, until
   * more of them may go in so many ms.
   */
  | {
      readonly kind: 'held';
      readonly endpoints: readonly Endpoint[];
      readonly more: boolean;
      readonly total: number;
      readonly lasts: number;
    }
  /** All that had vanished are gone, or back. */
  | { readonly kind: 'released' }
  /** The name is not resolved yet: what was known of it so many ms ago, and answers still, is used meanwhile. */
  | { readonly kind: 'hinted'; readonly servers: number; readonly age: number }
  /** The name has servers again. */
  | { readonly kind: 'refilled' }
  /** The name has had no servers for too long: those that were kept go. */
  | { readonly kind: 'unkept' }
  /** A part of the answer could not be learned and is as it was. */
  | { readonly kind: 'gap'; readonly error: VaneError }
  | { readonly kind: 'whole' };

/** In the order they are to be told. */
export function watcherEvents(
  before: WatcherState,
  after: WatcherState,
  now: number,
): readonly WatcherEvent[] {
  const events: WatcherEvent[] = [];
  if (after.error && !before.error) events.push({ kind: 'failing', error: after.error });
  if (before.failingSince !== undefined && !after.error) {
    events.push({ kind: 'recovered', after: now - before.failingSince });
  }
  if (after.gap && !before.gap) events.push({ kind: 'gap', error: after.gap });
  if (before.gap && !after.gap) events.push({ kind: 'whole' });
  if (after.stale && !before.stale) {
    const age = after.lastGood === undefined ? undefined : now - after.lastGood;
    events.push({ kind: 'stale', age });
  }
  const lasts = after.until === undefined ? undefined : after.until - now;
  if (after.kept && !before.kept) {
    events.push({ kind: 'kept', servers: after.set?.endpoints.length ?? 0, lasts });
  }
  if (before.kept && !after.kept) {
    events.push({ kind: (after.servers ?? 0) > 0 ? 'refilled' : 'unkept' });
  }
  const known = new Set(before.held.map(idOf));
  const newly = after.held.filter((endpoint) => !known.has(idOf(endpoint)));
  if (newly.length > 0) {
    const [more, total] = [before.held.length > 0, after.held.length];
    events.push({ kind: 'held', endpoints: newly, more, total, lasts: lasts ?? 0 });
  }
  if (before.held.length > 0 && after.held.length === 0) events.push({ kind: 'released' });
  return events;
}
