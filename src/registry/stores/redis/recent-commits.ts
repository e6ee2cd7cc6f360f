import type { CommitBody } from './commit-text.ts';
import type { Outcome } from './pending-commits.ts';

/** A commit of this node that its writer was told of. */
export interface Acknowledged extends CommitBody {
  readonly uid: string;
  readonly index: number;
}

/** A replica that becomes master may lack what its master took in last: seconds of it at most. */
const KEPT_MS = 60_000;
const MOST_KEPT = 20_000;

/** The latest commits of this node, so that it can put back what a Redis that took over never got. */
export class RecentCommits {
  readonly #kept: { readonly at: number; readonly commit: Acknowledged }[] = [];

  /** @param now clock ms */
  add(commit: Acknowledged, now: number): void {
    this.#kept.push({ at: now, commit });
    const old = this.#kept.findIndex(({ at }) => at > now - KEPT_MS);
    const surplus = Math.max(old === -1 ? 0 : old, this.#kept.length - MOST_KEPT);
    // Now and then, rather than one by one from the front of a long list.
    if (surplus > MOST_KEPT / 20) this.#kept.splice(0, surplus);
  }

  /** Those that are not known there, in order. */
  missingIn(has: (uid: string) => boolean, after: number): readonly Acknowledged[] {
    return this.#kept.map(({ commit }) => commit).filter(({ uid, index }) => index > after && !has(uid));
  }

  ids(): ReadonlySet<string> {
    return new Set(this.#kept.map(({ commit }) => commit.uid));
  }

  /** They are where the log has them now. What it does not have, as others have come in its place, is forgotten. */
  relocate(outcomeOf: (uid: string) => Outcome | undefined, after: number): void {
    const kept = this.#kept.flatMap(({ at, commit }) => {
      const outcome = outcomeOf(commit.uid);
      if (outcome) return outcome.isVain ? [] : [{ at, commit: { ...commit, index: outcome.index } }];
      return commit.index > after ? [] : [{ at, commit }];
    });
    this.#kept.splice(0, this.#kept.length, ...kept);
  }

  clear(): void {
    this.#kept.length = 0;
  }
}
