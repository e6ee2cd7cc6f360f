import { serverId } from '../balance/server.ts';
import type { Endpoint, Excluded } from './resolution.ts';

/** What a name stands for. The same answer makes the same set, whatever order it came in. */
export interface DiscoveredSet {
  /** By name; no address and port twice. */
  readonly endpoints: readonly Endpoint[];
  /** By name; nothing that is an endpoint as well. */
  readonly excluded: readonly Excluded[];
}

/** What was made of answers that came already: nothing changes them, and resolvers give the same one again. */
const MADE = new WeakMap<DiscoveredSet, DiscoveredSet>();

/** Of several endpoints with the same address and port the first by name stands for all. */
export function discoveredSet(answer: DiscoveredSet): DiscoveredSet {
  const known = MADE.get(answer);
  if (known) return known;
  const set = inOrder(answer);
  MADE.set(answer, set);
  return set;
}

function inOrder(answer: DiscoveredSet): DiscoveredSet {
  const endpoints = new Map<string, Endpoint>();
  for (const endpoint of answer.endpoints.toSorted(compareEndpoints)) {
    const id = serverId(endpoint.address, endpoint.port);
    if (!endpoints.has(id)) endpoints.set(id, endpoint);
  }
  const excluded = answer.excluded
    .filter(({ address, port }) => !endpoints.has(serverId(address, port)))
    .toSorted(compareExcluded);
  return { endpoints: [...endpoints.values()], excluded };
}

/** Of two sets as {@link discoveredSet} makes them. */
export function isSameSet(a: DiscoveredSet, b: DiscoveredSet): boolean {
  return (
    a === b ||
    (sameInOrder(a.endpoints, b.endpoints, compareEndpoints) &&
      sameInOrder(a.excluded, b.excluded, compareExcluded))
  );
}

/** By name, then by all else there is: an order of its own never comes from the answer. */
export function compareEndpoints(a: Endpoint, b: Endpoint): number {
  return (
    compare(a.name, b.name) ||
    a.priority - b.priority ||
    b.weight - a.weight ||
    compare(a.address, b.address) ||
    a.port - b.port ||
    compare(a.host ?? '', b.host ?? '')
  );
}

function compareExcluded(a: Excluded, b: Excluded): number {
  return compare(a.name, b.name) || compare(a.address, b.address) || a.port - b.port || compare(a.why, b.why);
}

/** By code units: the same on every machine. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function sameInOrder<T>(a: readonly T[], b: readonly T[], order: (a: T, b: T) => number): boolean {
  if (a.length !== b.length) return false;
  return a.every((one, i) => {
    const other = b[i];
    return one === other || (other !== undefined && order(one, other) === 0);
  });
}
