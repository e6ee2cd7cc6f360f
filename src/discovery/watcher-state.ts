import type { VaneError } from '../core/errors.ts';
import { type DiscoveredSet, discoveredSet, isSameSet } from './discovered-set.ts';
import type { Resolution } from './resolution.ts';

/** What is known of one name, and how its look-ups went. */
export interface WatcherState {
  /** The set in force; undefined before the first good answer. The same object until it changes. */
  readonly set: DiscoveredSet | undefined;
  /** Servers in the last good answer, which `on-empty: keep` may not have put in force. */
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
  /** The last good answer was empty, and the set before it stays: `on-empty: keep`. */
  readonly kept: boolean;
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
  settled: false,
};

/** Takes in how one look-up ended. A failure changes nothing about the set. */
export function nextWatcherState(
  state: WatcherState,
  resolution: Resolution,
  onEmpty: 'drain' | 'keep',
  now: number,
): WatcherState {
  const { results } = state;
  if (!resolution.ok) {
    return {
      ...state,
      error: resolution.error,
      failingSince: state.failingSince ?? now,
      results: { ...results, failed: results.failed + 1 },
      settled: true,
    };
  }
  const answer = discoveredSet(resolution);
  const servers = answer.endpoints.length;
  const kept = servers === 0 && onEmpty === 'keep' && (state.set?.endpoints.length ?? 0) > 0;
  const unchanged = state.set !== undefined && isSameSet(state.set, answer);
  return {
    set: kept || unchanged ? state.set : answer,
    servers,
    lastGood: now,
    error: undefined,
    failingSince: undefined,
    gap: resolution.gap,
    results: servers > 0 ? { ...results, ok: results.ok + 1 } : { ...results, empty: results.empty + 1 },
    kept,
    settled: true,
  };
}

/** What is worth a line in the log: one when something begins and one when it ends, not one per look-up. */
export type WatcherEvent =
  /** Look-ups have begun to fail; the last good set stays. */
  | { readonly kind: 'failing'; readonly error: VaneError }
  /** They work again, after this many ms. */
  | { readonly kind: 'recovered'; readonly after: number }
  /** An empty answer is held back: this many servers stay. */
  | { readonly kind: 'kept'; readonly servers: number }
  /** The name has servers again. */
  | { readonly kind: 'refilled' }
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
  if (after.kept && !before.kept) events.push({ kind: 'kept', servers: after.set?.endpoints.length ?? 0 });
  if (before.kept && !after.kept) events.push({ kind: 'refilled' });
  return events;
}
