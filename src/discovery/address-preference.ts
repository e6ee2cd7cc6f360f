import { isIPv6 } from 'node:net';
import type { AddressPreference } from '../config/runtime/servers.ts';
import { inNetworks } from '../core/networks.ts';
import type { DiscoveredSet } from './discovered-set.ts';
import type { Endpoint } from './resolution.ts';

/**
 * The set with the addresses that are preferred: of a host that has some in the family those, and of them, where
 * some are in the networks, those. What is preferred goes first, it excludes nothing (HAProxy's `resolve-prefer` and
 * `resolve-net`). Servers that are no address of a host, as those of the registry, are left alone.
 */
export function preferredSet(set: DiscoveredSet, preference: AddressPreference | undefined): DiscoveredSet {
  if (!preference) return set;
  const { family, networks } = preference;
  const isPreferred = inNetworks(networks);
  const kept = new Set<Endpoint>();
  for (const [host, endpoints] of Map.groupBy(set.endpoints, ({ host }) => host)) {
    let chosen: readonly Endpoint[] = endpoints;
    if (host !== undefined) {
      if (family) chosen = some(chosen, ({ address }) => isIPv6(address) === (family === 'ipv6'));
      if (networks.length > 0) chosen = some(chosen, ({ address }) => isPreferred(address));
    }
    for (const endpoint of chosen) kept.add(endpoint);
  }
  if (kept.size === set.endpoints.length) return set;
  return { ...set, endpoints: set.endpoints.filter((endpoint) => kept.has(endpoint)) };
}

/** Those that fit; all where none does. */
function some(endpoints: readonly Endpoint[], fits: (endpoint: Endpoint) => boolean): readonly Endpoint[] {
  const found = endpoints.filter(fits);
  return found.length > 0 ? found : endpoints;
}
