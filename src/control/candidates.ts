import { isDeepStrictEqual } from 'node:util';
import type { Candidate } from '../balance/members.ts';
import type { AddressSource, DomainSource } from '../config/runtime/servers.ts';
import { type DiscoveredSet, idOf } from '../discovery/discovered-set.ts';
import type { Endpoint } from '../discovery/resolution.ts';
import { setDifference } from '../discovery/set-difference.ts';

/** The server that an `address:` entry stands for. */
export function addressCandidate(source: AddressSource): Candidate {
  const { key: name, host: address, port, weight, backup, maxconn, drain, tls } = source;
  return { name, address, port, weight, tier: 0, backup, maxconn, drain, tls, ...limitsOf(source) };
}

/** What has become of the candidates of an entry. */
export interface CandidateChange {
  readonly said: readonly Candidate[];
  readonly gone: readonly string[];
}

/**
 * The servers that a `domain:` entry stands for at the moment. What the source of names says of a server's share
 * multiplies what the entry says. Priorities count among the servers of one name only: the best of each name is of the
 * first tier, whether nameservers call it 0, 1 or 10.
 */
export function endpointCandidates(source: DomainSource, set: DiscoveredSet): readonly Candidate[] {
  const tiers = tiersOf(set);
  return set.endpoints.map((endpoint) => candidate(source, endpoint, tiers));
}

/** How they differ from those of an earlier set; undefined: so much that they are better looked at anew. */
export function changedCandidates(
  source: DomainSource,
  before: DiscoveredSet,
  after: DiscoveredSet,
): CandidateChange | undefined {
  const tiers = tiersOf(after);
  if (!isDeepStrictEqual(tiersOf(before), tiers)) return undefined;
  const { said, unsaid } = setDifference(before, after);
  const there = new Set(said.map(idOf));
  return {
    said: said.map((endpoint) => candidate(source, endpoint, tiers)),
    gone: unsaid.map(idOf).filter((id) => !there.has(id)),
  };
}

/** The priorities of a set, the best first: worked out once for all who follow the name. */
const TIERS = new WeakMap<DiscoveredSet, readonly number[]>();

function tiersOf(set: DiscoveredSet): readonly number[] {
  const known = TIERS.get(set);
  if (known) return known;
  const tiers = [...new Set(set.endpoints.map(({ priority }) => priority))].sort((a, b) => a - b);
  TIERS.set(set, tiers);
  return tiers;
}

function candidate(source: DomainSource, endpoint: Endpoint, tiers: readonly number[]): Candidate {
  const { name, address, port, priority } = endpoint;
  const { backup, maxconn, drain, tls } = source;
  const weight = source.weight * endpoint.weight;
  const tier = tiers.indexOf(priority);
  const limits = limitsOf(source);
  return { name, address, port, instance: name, weight, tier, backup, maxconn, drain, tls, ...limits };
}

/** Left out where there are none: most have none. */
function limitsOf({
  minconn,
  maxqueue,
  observe,
  probeFirst,
  endOnDown,
  sticky,
  cookie,
  sendProxy,
}: AddressSource | DomainSource): Pick<
  Candidate,
  'minconn' | 'maxqueue' | 'observe' | 'probeFirst' | 'endOnDown' | 'sticky' | 'cookie' | 'sendProxy'
> {
  return {
    ...(minconn ? { minconn } : {}),
    ...(maxqueue ? { maxqueue } : {}),
    ...(observe ? { observe } : {}),
    ...(probeFirst ? { probeFirst } : {}),
    ...(endOnDown ? { endOnDown } : {}),
    ...(sticky ? { sticky } : {}),
    ...(cookie ? { cookie } : {}),
    ...(sendProxy ? { sendProxy } : {}),
  };
}

/** By set: why each instance is left out, once somebody has asked. Many may turn critical at once. */
const LEFT_OUT = new WeakMap<DiscoveredSet, ReadonlyMap<string, string>>();

/** Why a set leaves out the instance that is this server; undefined: it does not, or does not know it. */
export function leftOutWhy(set: DiscoveredSet, id: string): string | undefined {
  const known = LEFT_OUT.get(set) ?? new Map(set.excluded.map((one) => [idOf(one), one.why]));
  LEFT_OUT.set(set, known);
  return known.get(id);
}
