import { serverId } from '../balance/server.ts';
import { asVaneError, VaneError } from '../core/errors.ts';
import type { AddressRecord } from '../dns/client.ts';
import { compareEndpoints } from './discovered-set.ts';
import { type HostAddresses, lookUpHost, type Nameservers } from './host-addresses.ts';
import type { Endpoint, Excluded, Resolution, Resolver } from './resolution.ts';
import { evenWeights } from './weights.ts';

const NOBODY: Resolution = { ok: true, endpoints: [], excluded: [] };

/**
 * Looks names up at outside nameservers: names that start with an underscore by SRV (RFC 2782), as in HAProxy,
 * others by A and AAAA. A name that does not exist has no servers, which is an answer.
 *
 * @param id of the `resolvers` section
 */
export function nameserverResolver(id: string, nameservers: Nameservers): Resolver {
  return {
    id,
    async resolve(name, port, signal, last) {
      try {
        if (name.startsWith('_')) return await resolveService(nameservers, name, port, signal, last);
        return await resolveHost(nameservers, name, port, signal, last);
      } catch (thrown) {
        return { ok: false, error: asVaneError(thrown, 'RESOLVE_FAILED') };
      }
    },
  };
}

async function resolveHost(
  nameservers: Nameservers,
  name: string,
  port: number | undefined,
  signal: AbortSignal,
  last: readonly Endpoint[],
): Promise<Resolution> {
  if (port === undefined) {
    throw new VaneError('RESOLVE_FAILED', `${name} needs a port: addresses from a nameserver carry none`);
  }
  const found = await lookUpHost(nameservers, name, signal, last);
  if (found.kind === 'failed') return { ok: false, error: found.error };
  if (found.kind === 'none') return NOBODY;
  const endpoints = found.addresses.map((address) => endpoint(address, port, name, 1, 0));
  return answer(endpoints, [], found.gap);
}

async function resolveService(
  nameservers: Nameservers,
  name: string,
  port: number | undefined,
  signal: AbortSignal,
  last: readonly Endpoint[],
): Promise<Resolution> {
  const reply = await nameservers.query(name, 'SRV', signal);
  if (reply.rcode === 'NXDOMAIN') return NOBODY;
  const records = reply.records.filter((record) => record.type === 'SRV');
  const targets = [...new Set(records.map((record) => record.target))];
  const hosts =
    sentAlong(targets, reply.additionals) ?? (await lookUpTargets(nameservers, targets, signal, last));

  const endpoints: Endpoint[] = [];
  const excluded: Excluded[] = [];
  let gap: VaneError | undefined;
  for (const record of records) {
    const { target, weight, priority } = record;
    const used = port ?? record.port;
    const found: HostAddresses = hosts.get(target) ?? { kind: 'none', exists: false };
    // Without this one the set would silently be smaller: the last good set is better than a part of one.
    if (found.kind === 'failed') return { ok: false, error: found.error };
    if (found.kind === 'none') {
      excluded.push(excludedTarget(target, used, found.exists ? 'has no address' : 'does not exist'));
    } else if (used === 0) {
      excluded.push(excludedTarget(target, used, 'has no port'));
    } else {
      gap ??= found.gap;
      endpoints.push(...found.addresses.map((address) => endpoint(address, used, target, weight, priority)));
    }
  }
  return answer(evenWeights(endpoints), excluded, gap);
}

/**
 * The targets' addresses out of the additional section. That may be cut anywhere without saying so (RFC 2181
 * section 9), so it is believed only where it has the same families for every target; else undefined.
 */
function sentAlong(
  targets: readonly string[],
  additionals: readonly AddressRecord[],
): ReadonlyMap<string, HostAddresses> | undefined {
  const byTarget = Map.groupBy(additionals, ({ name }) => name);
  const families = new Set(
    targets.map((target) => {
      const types = (byTarget.get(target) ?? []).map(({ type }) => type);
      return `${types.includes('A')} ${types.includes('AAAA')}`;
    }),
  );
  if (families.size !== 1 || families.has('false false')) return undefined;
  return new Map(
    targets.map((target) => {
      const addresses = (byTarget.get(target) ?? []).map(({ address }) => address);
      return [target, { kind: 'found', addresses, gap: undefined }];
    }),
  );
}

async function lookUpTargets(
  nameservers: Nameservers,
  targets: readonly string[],
  signal: AbortSignal,
  last: readonly Endpoint[],
): Promise<ReadonlyMap<string, HostAddresses>> {
  return new Map(
    await Promise.all(
      targets.map(async (target) => [target, await lookUpHost(nameservers, target, signal, last)] as const),
    ),
  );
}

function excludedTarget(target: string, port: number, why: string): Excluded {
  return { address: target, port, name: serverId(target, port), why: `${target} ${why}` };
}

function endpoint(address: string, port: number, host: string, weight: number, priority: number): Endpoint {
  return { address, port, weight, priority, name: serverId(address, port), host };
}

function answer(
  endpoints: readonly Endpoint[],
  excluded: readonly Excluded[],
  gap: VaneError | undefined,
): Resolution {
  const ordered = { ok: true, endpoints: endpoints.toSorted(compareEndpoints), excluded } as const;
  return gap ? { ...ordered, gap } : ordered;
}
