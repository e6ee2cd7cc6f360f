import { asVaneError, VaneError } from '../core/errors.ts';
import type { NameserverClient } from '../dns/client.ts';
import type { Endpoint } from './resolution.ts';

export type Nameservers = Pick<NameserverClient, 'query'>;

export type Family = 'A' | 'AAAA';

/** How looking up the addresses of one host ended. */
export type HostAddresses =
  | {
      readonly kind: 'found';
      readonly addresses: readonly string[];
      /** Seconds that the shortest-lived of them is good for. */
      readonly ttl: number;
      readonly gap: VaneError | undefined;
    }
  /** Both families were answered, and there is nothing. */
  | { readonly kind: 'none'; readonly exists: boolean }
  | { readonly kind: 'failed'; readonly error: VaneError };

type FamilyAnswer =
  | {
      readonly ok: true;
      readonly addresses: readonly string[];
      readonly ttl: number;
      readonly exists: boolean;
    }
  | { readonly ok: false; readonly error: VaneError };

/**
 * Looks up A and AAAA in parallel. Never rejects.
 *
 * Some nameservers answer A and always fail for AAAA, and any query can be lost. So where one family fails and
 * the other has addresses, the failed one's addresses are those of the last good answer: a family that never
 * answered takes nothing away, one that falls silent for a while does not either. That is a gap and
 * is told as such. Where the other has none, nothing good is known and the whole has failed: a host counts as
 * without addresses only when both families say so.
 */
export async function lookUpHost(
  nameservers: Nameservers,
  host: string,
  signal: AbortSignal,
  last: readonly Endpoint[],
): Promise<HostAddresses> {
  const [a, aaaa] = await Promise.all([
    lookUpFamily(nameservers, host, 'A', signal),
    lookUpFamily(nameservers, host, 'AAAA', signal),
  ]);
  if (!a.ok && !aaaa.ok) return { kind: 'failed', error: bothFailed(a.error, aaaa.error) };
  const addresses = [a, aaaa].flatMap((answer) => (answer.ok ? answer.addresses : []));
  const ttl = Math.min(...[a, aaaa].map((answer) => (answer.ok ? answer.ttl : Number.POSITIVE_INFINITY)));
  const failed = a.ok ? aaaa : a;
  if (failed.ok) {
    if (addresses.length > 0) return { kind: 'found', addresses, ttl, gap: undefined };
    return { kind: 'none', exists: [a, aaaa].some((answer) => answer.ok && answer.exists) };
  }
  if (addresses.length === 0) return { kind: 'failed', error: failed.error };
  const kept = lastAddresses(last, host, a.ok ? 'AAAA' : 'A');
  return { kind: 'found', addresses: [...addresses, ...kept], ttl, gap: failed.error };
}

async function lookUpFamily(
  nameservers: Nameservers,
  host: string,
  family: Family,
  signal: AbortSignal,
): Promise<FamilyAnswer> {
  try {
    const reply = await nameservers.query(host, family, signal);
    if (reply.rcode === 'NXDOMAIN') {
      return { ok: true, addresses: [], ttl: Number.POSITIVE_INFINITY, exists: false };
    }
    const addresses = reply.records.flatMap((record) => (record.type === family ? [record.address] : []));
    return { ok: true, addresses, ttl: shortestTtl(reply.records), exists: true };
  } catch (thrown) {
    return { ok: false, error: asVaneError(thrown, 'RESOLVE_FAILED') };
  }
}

/** Seconds; infinite without records. */
export function shortestTtl(records: readonly { readonly ttl: number }[]): number {
  return records.reduce((least, { ttl }) => Math.min(least, ttl), Number.POSITIVE_INFINITY);
}

/** @param family undefined: both */
export function lastAddresses(last: readonly Endpoint[], host: string, family?: Family): readonly string[] {
  const own = last.filter((endpoint) => endpoint.host === host);
  const addresses = own.map(({ address }) => address);
  if (!family) return [...new Set(addresses)];
  return addresses.filter((address) => address.includes(':') === (family === 'AAAA'));
}

function bothFailed(a: VaneError, aaaa: VaneError): VaneError {
  if (a.message === aaaa.message) return a;
  const code = a.code === aaaa.code ? a.code : 'RESOLVE_FAILED';
  return new VaneError(code, `${a.message}; ${aaaa.message}`, { cause: a });
}
