import type { Candidate } from '../balance/members.ts';
import type { AddressSource, DomainSource } from '../config/runtime/servers.ts';
import type { Endpoint } from '../discovery/resolution.ts';

/** The server that an `address:` entry stands for. */
export function addressCandidate(source: AddressSource): Candidate {
  const { key: name, host: address, port, weight, backup, maxconn, drain, tls } = source;
  return { name, address, port, weight, tier: 0, backup, maxconn, drain, tls };
}

/**
 * The servers that a `domain:` entry stands for at the moment. What the source of names says of a server's share
 * multiplies what the entry says. Priorities count among the servers of one name only: the best of each name is of the
 * first tier, whether nameservers call it 0, 1 or 10.
 */
export function endpointCandidates(
  source: DomainSource,
  endpoints: readonly Endpoint[],
): readonly Candidate[] {
  const priorities = [...new Set(endpoints.map(({ priority }) => priority))].sort((a, b) => a - b);
  const { backup, maxconn, drain, tls } = source;
  return endpoints.map(({ name, address, port, weight, priority }) => {
    const tier = priorities.indexOf(priority);
    return { name, address, port, weight: source.weight * weight, tier, backup, maxconn, drain, tls };
  });
}
