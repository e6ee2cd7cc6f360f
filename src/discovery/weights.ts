import type { Endpoint } from './resolution.ts';

/**
 * Weights are relative among endpoints of one priority: where all of them are 0, all are 1. RFC 2782 has servers
 * without any preference say 0; a set in which nobody may get work would be of no use to anyone.
 */
export function evenWeights(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  // Nobody without a preference: by far the most common, and looked at with every answer.
  if (endpoints.every(({ weight }) => weight > 0)) return endpoints;
  const weighted = new Set(endpoints.filter(({ weight }) => weight > 0).map(({ priority }) => priority));
  return endpoints.map((endpoint) =>
    weighted.has(endpoint.priority) ? endpoint : { ...endpoint, weight: 1 },
  );
}
