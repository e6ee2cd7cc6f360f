/** How far one question has been followed by blocking queries (Consul's HTTP API, "Blocking Queries"). */
export interface FollowState {
  /** What is waited to be exceeded; 0: an answer is wanted at once. */
  readonly index: number;
  /** In a row. */
  readonly failures: number;
  /** Answers in a row that came early and said nothing new. */
  readonly idle: number;
}

export const NOT_FOLLOWED: FollowState = { index: 0, failures: 0, idle: 0 };

/** How one query has ended. Times are in ms. */
export type Outcome =
  | {
      readonly kind: 'answer';
      /** Undefined: the answer has none, or none that is a number. */
      readonly index: number | undefined;
      readonly took: number;
      /** What was asked for. */
      readonly wait: number;
    }
  /** `busy`: somebody was there and refused, who should not be asked too often. */
  | { readonly kind: 'failure'; readonly busy: boolean };

export interface Step {
  readonly state: FollowState;
  /** ms until the next query. */
  readonly pause: number;
  /** False: the answer is the one that is known already. */
  readonly news: boolean;
}

/** From the start of one query to that of the next: changes that come closer together are taken together. */
const APART_MS = 100;
/** Where no index can be waited for. */
const POLL_MS = 1_000;
/** Longest pause after answers that say nothing new long before they should. */
const IDLE_CAP_MS = 5_000;
/** Nobody there: whoever comes back is noticed within this. */
const ABSENT_CAP_MS = 1_000;
const BUSY_CAP_MS = 10_000;

/**
 * By Consul's rules for clients: an index that is not greater than 0 cannot be waited for, one that went backwards is
 * forgotten, one that stayed says that nothing has changed. Failures are followed by pauses that double, with jitter.
 *
 * @param places addresses that can be asked: each gets its turn before there is a pause
 * @param random in [0, 1)
 */
export function step(state: FollowState, outcome: Outcome, places: number, random: number): Step {
  if (outcome.kind === 'failure') return afterFailure(state, outcome.busy, places, random);
  const { index, took, wait } = outcome;
  if (index === undefined || !Number.isSafeInteger(index) || index < 1) {
    return { state: NOT_FOLLOWED, pause: POLL_MS, news: true };
  }
  if (index < state.index) {
    const idle = state.idle + 1;
    return { state: { index: 0, failures: 0, idle }, pause: idlePause(idle), news: true };
  }
  if (index > state.index) {
    // After a reset this is no proof of news: whoever keeps going backwards is asked ever less often.
    const idle = state.index === 0 ? state.idle : 0;
    const pause = Math.max(idle > 0 ? idlePause(idle) : 0, APART_MS - took);
    return { state: { index, failures: 0, idle }, pause: Math.max(0, pause), news: true };
  }
  const idle = took < wait / 2 ? state.idle + 1 : 0;
  return { state: { index, failures: 0, idle }, pause: idle > 0 ? idlePause(idle) : 0, news: false };
}

function afterFailure(state: FollowState, busy: boolean, places: number, random: number): Step {
  const failures = state.failures + 1;
  // Whoever answers next may be another, with another past: everything is asked for anew.
  const next = { index: 0, failures, idle: state.idle };
  if (failures < places) return { state: next, pause: 0, news: false };
  const longest = doubled(failures - places, busy ? BUSY_CAP_MS : ABSENT_CAP_MS);
  return { state: next, pause: longest * (0.5 + random / 2), news: false };
}

function idlePause(idle: number): number {
  return doubled(idle - 1, IDLE_CAP_MS);
}

function doubled(times: number, cap: number): number {
  return Math.min(cap, APART_MS * 2 ** Math.min(times, 20));
}

/**
 * How long a query that waits may take, ms: a server adds up to a sixteenth to what it was asked for, so that not all
 * who wait come back at once. Beyond that the watch hangs.
 */
export function longestAnswer(wait: number, margin: number): number {
  return wait + wait / 16 + margin;
}
