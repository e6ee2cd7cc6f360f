import { lookup } from 'node:dns/promises';
import { serverId } from '../balance/server.ts';
import type { DomainSource } from '../config/runtime/servers.ts';
import type { Hint } from './hints.ts';
import type { Endpoint } from './resolution.ts';

/** The addresses that the system's own resolver has for a host; rejects where it has none. */
export type SystemLookUp = (host: string) => Promise<readonly string[]>;

export type HintedSource = Pick<DomainSource, 'domain' | 'port' | 'initAddr'>;

/**
 * What is to be tried until a name is first known: the ways of `init-addr` in their order, the first that gives
 * anything. Without `init-addr` it is what was known before the restart. Never rejects; that nothing is found stops
 * nobody, unlike in HAProxy.
 *
 * @param last what was known before the restart
 */
export async function initialHint(
  { domain, port, initAddr = [{ kind: 'last' }] }: HintedSource,
  last: Hint | undefined,
  wall: number,
  systemLookUp: SystemLookUp = viaLibc,
): Promise<Hint | undefined> {
  for (const way of initAddr) {
    if (way.kind === 'none') return undefined;
    if (way.kind === 'last') {
      if (last) return last;
      continue;
    }
    // Services say their ports themselves: an address alone is no server.
    if (port === undefined) continue;
    const addresses = way.kind === 'address' ? [way.address] : await addressesOf(domain, systemLookUp);
    const endpoints = addresses.map((address) => endpoint(address, port, domain));
    if (endpoints.length > 0) return { endpoints, at: wall };
  }
  return undefined;
}

function endpoint(address: string, port: number, host: string): Endpoint {
  return { address, port, weight: 1, priority: 0, name: serverId(address, port), host };
}

async function addressesOf(domain: string, systemLookUp: SystemLookUp): Promise<readonly string[]> {
  try {
    return [...new Set(await systemLookUp(domain))];
  } catch {
    // The next way may do; that the name is not known yet is told by whoever looks it up.
    return [];
  }
}

async function viaLibc(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
