import type { Candidate } from '../balance/members.ts';
import type { AddressSource, DomainSource, ServerSource } from '../config/runtime.ts';
import type { Endpoint } from '../discovery/resolution.ts';

/** The server that an `address:` entry stands for. */
export function addressCandidate(source: AddressSource): Candidate {
  const { key: name, host: address, port, weight } = source;
  return { ...common(source), name, address, port, weight, tier: 0 };
}

/**
 * A server that a `domain:` entry stands for at the moment. What the source of names says of its share multiplies
 * what the entry says.
 */
export function endpointCandidate(source: DomainSource, endpoint: Endpoint): Candidate {
  const { name, address, port, weight, priority } = endpoint;
  return { ...common(source), name, address, port, weight: source.weight * weight, tier: priority };
}

function common({ backup, maxconn, drain }: ServerSource): Pick<Candidate, 'backup' | 'maxconn' | 'drain'> {
  return { backup, maxconn, drain };
}
