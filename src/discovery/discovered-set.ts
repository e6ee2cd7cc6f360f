import { serverId } from '../balance/server.ts';
import type { Endpoint, Excluded } from './resolution.ts';

/** What a name stands for. The same answer makes the same set, whatever order it came in. */
export interface DiscoveredSet {
  /** By name; no server twice, as `serverId` tells them apart. */
  readonly endpoints: readonly Endpoint[];
  /** By name; nothing that is an endpoint as well. */
  readonly excluded: readonly Excluded[];
  /** Known from before a restart, and not confirmed by an answer yet. */
  readonly hint?: true;
}

/** What was made of answers that came already: nothing changes them, and resolvers give the same one again. */
const MADE = new WeakMap<DiscoveredSet, DiscoveredSet>();

/** Of several endpoints that are the same server the first stands for all. */
export function discoveredSet(answer: DiscoveredSet): DiscoveredSet {
  const known = MADE.get(answer);
  if (known) return known;
  const set = inOrder(answer);
  MADE.set(answer, set);
  return set;
}

function inOrder(answer: DiscoveredSet): DiscoveredSet {
  const sorted = answer.endpoints.toSorted(compareEndpoints);
  // The same server has the same name: where no two have one, which is nearly always, there is nothing to look for.
  const doubtful = sorted.some((endpoint, i) => endpoint.name === sorted[i + 1]?.name);
  const endpoints = doubtful ? firstOfEach(sorted) : sorted;
  if (answer.excluded.length === 0) return { endpoints, excluded: [] };
  const there = new Set(endpoints.map(idOf));
  const excluded = answer.excluded.filter((one) => !there.has(idOf(one))).toSorted(compareExcluded);
  return { endpoints, excluded };
}

function firstOfEach(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const byId = new Map<string, Endpoint>();
  for (const endpoint of endpoints) {
    const id = idOf(endpoint);
    if (!byId.has(id)) byId.set(id, endpoint);
  }
  return [...byId.values()];
}

/** The identity of the server that an endpoint is, or that an instance which is left out would be. */
export function idOf({ address, port, name }: Pick<Endpoint, 'address' | 'port' | 'name'>): string {
  return serverId(address, port, name);
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
