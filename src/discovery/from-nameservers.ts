import { serverId } from '../balance/server.ts';
import type { Clock } from '../core/clock.ts';
import { asVaneError, VaneError } from '../core/errors.ts';
import type { AddressRecord } from '../dns/client.ts';
import { compareEndpoints } from './discovered-set.ts';
import { type HoldRules, heldNames, type LookUp } from './held-names.ts';
import {
  type HostAddresses,
  lastAddresses,
  lookUpHost,
  type Nameservers,
  shortestTtl,
} from './host-addresses.ts';
import type { Endpoint, Excluded, Resolver } from './resolution.ts';
import { evenWeights } from './weights.ts';

const NOBODY: LookUp = { ok: true, endpoints: [], excluded: [] };
/** Servers of one name: those beyond are left out, and that is told as a gap. */
export const MAX_SERVERS = 4_096;
/** Targets of one SRV name that are looked up; each costs two queries. */
const MAX_TARGETS = 1_024;

/**
 * Looks names up at outside nameservers: names that start with an underscore by SRV (RFC 2782), as in HAProxy,
 * others by A and AAAA. A name that does not exist has no servers, which is an answer. The holds of the section
 * decide how long that has to be said before it counts.
 *
 * @param id of the `resolvers` section
 */
export function nameserverResolver(
  id: string,
  nameservers: Nameservers,
  rules: HoldRules,
  clock: Clock,
): Resolver {
  return heldNames(id, rules, clock, async (name, port, signal, last) => {
    try {
      if (name.startsWith('_')) return await resolveService(nameservers, name, port, signal, last);
      return await resolveHost(nameservers, name, port, signal, last);
    } catch (thrown) {
      return { ok: false, error: asVaneError(thrown, 'RESOLVE_FAILED') };
    }
  });
}

async function resolveHost(
  nameservers: Nameservers,
  name: string,
  port: number | undefined,
  signal: AbortSignal,
  last: readonly Endpoint[],
): Promise<LookUp> {
  if (port === undefined) {
    throw new VaneError('RESOLVE_FAILED', `${name} needs a port: addresses from a nameserver carry none`);
  }
  const found = await lookUpHost(nameservers, name, signal, last);
  if (found.kind === 'failed') return { ok: false, error: found.error };
  if (found.kind === 'none') return NOBODY;
  const endpoints = found.addresses.map((address) => endpoint(address, port, name, 1, 0));
  return answer(name, endpoints, [], found.ttl, found.gap);
}

async function resolveService(
  nameservers: Nameservers,
  name: string,
  port: number | undefined,
  signal: AbortSignal,
  last: readonly Endpoint[],
): Promise<LookUp> {
  const reply = await nameservers.query(name, 'SRV', signal);
  if (reply.rcode === 'NXDOMAIN') return NOBODY;
  const records = reply.records.filter((record) => record.type === 'SRV');
  const all = [...new Set(records.map((record) => record.target))].sort();
  const targets = all.slice(0, MAX_TARGETS);
  const hosts =
    sentAlong(targets, reply.additionals) ?? (await lookUpTargets(nameservers, targets, signal, last));

  const endpoints: Endpoint[] = [];
  const excluded: Excluded[] = [];
  let ttl = shortestTtl(records);
  let gap = all.length > MAX_TARGETS ? tooMany(name, all.length, 'targets', MAX_TARGETS) : undefined;
  let failed: VaneError | undefined;
  for (const record of records) {
    const { target, weight, priority } = record;
    const used = port ?? record.port;
    const found = hosts.get(target);
    if (!found) continue;
    if (found.kind === 'none') {
      excluded.push(excludedTarget(target, used, found.exists ? 'has no address' : 'does not exist'));
    } else if (used === 0) {
      excluded.push(excludedTarget(target, used, 'has no port'));
    } else {
      // One target that cannot be looked up must neither lose its servers nor hold up what is said of the others.
      const addresses = found.kind === 'failed' ? lastAddresses(last, target) : found.addresses;
      if (found.kind === 'failed') {
        failed ??= found.error;
        if (addresses.length === 0) excluded.push(excludedTarget(target, used, 'cannot be looked up'));
      } else {
        gap ??= found.gap;
        ttl = Math.min(ttl, found.ttl);
      }
      endpoints.push(...addresses.map((address) => endpoint(address, used, target, weight, priority)));
    }
  }
  if (failed && endpoints.length === 0) return { ok: false, error: failed };
  return answer(name, evenWeights(endpoints), excluded, ttl, failed ?? gap);
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
      const records = byTarget.get(target) ?? [];
      const addresses = records.map(({ address }) => address);
      return [target, { kind: 'found', addresses, ttl: shortestTtl(records), gap: undefined }];
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

/** @param ttl seconds */
function answer(
  name: string,
  endpoints: readonly Endpoint[],
  excluded: readonly Excluded[],
  ttl: number,
  gap: VaneError | undefined,
): LookUp {
  const ordered = endpoints.toSorted(compareEndpoints);
  const why = ordered.length > MAX_SERVERS ? tooMany(name, ordered.length, 'servers', MAX_SERVERS) : gap;
  return {
    ok: true,
    endpoints: ordered.slice(0, MAX_SERVERS),
    excluded,
    ttl: Number.isFinite(ttl) ? ttl * 1000 : undefined,
    ...(why ? { gap: why } : {}),
  };
}

function tooMany(name: string, count: number, what: string, limit: number): VaneError {
  return new VaneError('RESOLVE_FAILED', `${name} has ${count} ${what}, of which ${limit} are used`);
}
