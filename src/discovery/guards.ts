import type { MaxRemoval, OnEmpty } from '../config/runtime/servers.ts';
import { type DiscoveredSet, discoveredSet, idOf } from './discovered-set.ts';
import type { Endpoint } from './resolution.ts';

/** What keeps a wrong answer from taking servers away. Milliseconds. */
export interface GuardRules {
  readonly onEmpty: OnEmpty;
  readonly maxRemoval?: MaxRemoval | undefined;
}

/** What guards have to remember from one answer to the next. */
export interface GuardMemory {
  /** Clock ms of the first of the unbroken row of answers without servers. */
  readonly emptySince: number | undefined;
  /** How many servers worked within the last `per`, and until when: the most, and what came after. */
  readonly peaks: readonly { readonly at: number; readonly working: number }[];
}

export const NO_MEMORY: GuardMemory = { emptySince: undefined, peaks: [] };

/** What is made of one answer. */
export interface Guarded {
  readonly set: DiscoveredSet;
  /** An answer without servers is held back: `on-empty`. */
  readonly kept: boolean;
  /** Servers that have vanished and stay for now: `max-removal`. */
  readonly held: readonly Endpoint[];
  /** Clock ms at which a guard will let go of more; undefined: none holds anything, or it does so for good. */
  readonly until: number | undefined;
  readonly memory: GuardMemory;
}

/**
 * Holds an answer against the set in force.
 *
 * `on-empty` decides about answers without servers. `max-removal` counts what is left to do the work: at no moment are
 * there fewer working servers than there were at any time within the last `per`, less what may go; so a set that is
 * replaced by as many new servers is replaced at once, and one that loses more loses the rest later. One server may
 * always go, or nothing would ever end. A server that is down, or that the answer itself says not to use, and why, is
 * no loss and is never held back.
 *
 * @param inForce undefined before the first answer: then there is nothing to guard
 * @param isDown what checks say of a server
 * @param now clock ms
 */
export function guard(
  rules: GuardRules,
  memory: GuardMemory,
  inForce: DiscoveredSet | undefined,
  answer: DiscoveredSet,
  isDown: (endpoint: Endpoint) => boolean,
  now: number,
): Guarded {
  const isEmpty = answer.endpoints.length === 0;
  const emptySince = isEmpty ? (memory.emptySince ?? now) : undefined;
  const until = keptUntil(rules.onEmpty, emptySince);
  if (inForce && inForce.endpoints.length > 0 && until !== undefined && now < until) {
    const finite = Number.isFinite(until) ? until : undefined;
    return { set: inForce, kept: true, held: [], until: finite, memory: { ...memory, emptySince } };
  }
  const { maxRemoval } = rules;
  if (!maxRemoval) {
    return { set: answer, kept: false, held: [], until: undefined, memory: { emptySince, peaks: [] } };
  }
  return { ...limited(maxRemoval, memory.peaks, inForce, answer, isDown, now, emptySince), kept: false };
}

/** Clock ms until which an answer without servers is held back; undefined: it is not, or is none. */
function keptUntil(onEmpty: OnEmpty, emptySince: number | undefined): number | undefined {
  if (emptySince === undefined || onEmpty === 'drain') return undefined;
  return onEmpty === 'keep' ? Number.POSITIVE_INFINITY : emptySince + onEmpty.keepFor;
}

function limited(
  rule: MaxRemoval,
  earlier: GuardMemory['peaks'],
  inForce: DiscoveredSet | undefined,
  answer: DiscoveredSet,
  isDown: (endpoint: Endpoint) => boolean,
  now: number,
  emptySince: number | undefined,
): Omit<Guarded, 'kept'> {
  const works = (endpoint: Endpoint) => !isDown(endpoint);
  const count = (endpoints: readonly Endpoint[]) => endpoints.filter(works).length;
  const recent = earlier.filter(({ at }) => at + rule.per > now);
  const before = withPeak(recent, now, count(inForce?.endpoints ?? []));
  const most = before[0]?.working ?? 0;
  const missing = most - mayGo(rule, most) - count(answer.endpoints);
  const said = new Set([...answer.endpoints, ...answer.excluded].map(idOf));
  const vanished = missing > 0 ? (inForce?.endpoints ?? []).filter((one) => !said.has(idOf(one))) : [];
  // In order of the set, so that it is the same ones that go whatever order answers come in.
  const held = missing > 0 ? vanished.filter(works).slice(-missing) : [];
  const { excluded } = answer;
  const set =
    held.length === 0 ? answer : discoveredSet({ endpoints: [...answer.endpoints, ...held], excluded });
  const peaks = withPeak(before, now, count(set.endpoints));
  const oldest = peaks[0];
  const until = held.length > 0 && oldest ? oldest.at + rule.per : undefined;
  return { set, held, until, memory: { emptySince, peaks } };
}

/** How many of `working` servers may go at once; at least one. */
function mayGo({ amount }: MaxRemoval, working: number): number {
  if ('count' in amount) return amount.count;
  return Math.max(1, Math.floor((working * amount.percent) / 100));
}

/** Only what is not exceeded by something later has a say: their number is bounded by that of the servers. */
function withPeak(peaks: GuardMemory['peaks'], at: number, working: number): GuardMemory['peaks'] {
  return [...peaks.filter((peak) => peak.working > working), { at, working }];
}
