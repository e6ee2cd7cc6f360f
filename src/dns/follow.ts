import type { Answer } from 'dns-packet';
import { formatAddress, parseAddress } from './address.ts';
import { isHostname, withoutTrailingDot } from './names.ts';
import type { LookupType } from './reply.ts';

/** An address a nameserver gave, and for how many seconds. */
export interface AddressRecord {
  readonly type: 'A' | 'AAAA';
  /** Lower case. */
  readonly name: string;
  readonly address: string;
  readonly ttl: number;
}

export interface SrvRecord {
  readonly type: 'SRV';
  readonly name: string;
  /** Lower case, without a trailing dot. */
  readonly target: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  readonly ttl: number;
}

export type ResolvedRecord = AddressRecord | SrvRecord;

/** Where an answer section leads. */
export type Followed =
  | {
      readonly kind: 'records';
      readonly records: readonly ResolvedRecord[];
      readonly additionals: readonly AddressRecord[];
    }
  /** The last CNAME points to a name that the answer says nothing about. */
  | { readonly kind: 'alias'; readonly target: string }
  | { readonly kind: 'broken'; readonly why: string };

/** CNAMEs in a row that are followed: more is a mistake or an attack. */
export const MAX_CNAME_CHAIN = 8;

/** TTLs with the highest bit set are to be read as 0 (RFC 2181 section 8). */
const MAX_TTL = 0x7fffffff;

/**
 * Follows the CNAMEs of an answer section from `name` to the records asked for. Records of names that are not
 * on the way are ignored: a nameserver is asked about one name and believed about that one only.
 *
 * @param visited names already passed, lower case; the ones passed here are added
 */
export function followAnswer(
  name: string,
  type: LookupType,
  answers: readonly Answer[],
  additionals: readonly Answer[],
  visited: Set<string>,
): Followed {
  let current = name.toLowerCase();
  let ttl = MAX_TTL;
  visited.add(current);
  for (;;) {
    const own = answers.filter((record) => sameName(record.name, current));
    const records = own.flatMap((record) => resolved(record, type, ttl));
    if (records.length > 0)
      return { kind: 'records', records, additionals: addressesOf(records, additionals) };
    const alias = own.find((record) => record.type === 'CNAME');
    if (alias?.type !== 'CNAME') break;
    const target = withoutTrailingDot(alias.data).toLowerCase();
    if (!isHostname(target)) return { kind: 'broken', why: 'CNAME to something that is no host name' };
    if (visited.has(target)) return { kind: 'broken', why: `CNAME loop at ${target}` };
    if (visited.size > MAX_CNAME_CHAIN) return { kind: 'broken', why: `more than ${MAX_CNAME_CHAIN} CNAMEs` };
    visited.add(target);
    ttl = Math.min(ttl, sane(alias.ttl));
    current = target;
  }
  if (current !== name.toLowerCase()) return { kind: 'alias', target: current };
  return { kind: 'records', records: [], additionals: [] };
}

/** The addresses of SRV targets that came along (RFC 2782); others nobody asked for. */
function addressesOf(records: readonly ResolvedRecord[], additionals: readonly Answer[]): AddressRecord[] {
  const targets = new Set(records.map((record) => (record.type === 'SRV' ? record.target : '')));
  return additionals.flatMap((record) =>
    targets.has(withoutTrailingDot(record.name).toLowerCase()) ? address(record, MAX_TTL) : [],
  );
}

function resolved(record: Answer, type: LookupType, ttl: number): ResolvedRecord[] {
  if (record.type !== type) return [];
  return record.type === 'SRV' ? service(record, ttl) : address(record, ttl);
}

function address(record: Answer, ttl: number): AddressRecord[] {
  if (record.type !== 'A' && record.type !== 'AAAA') return [];
  const bytes = parseAddress(record.data);
  if (!bytes) return [];
  const name = withoutTrailingDot(record.name).toLowerCase();
  return [{ type: record.type, name, address: formatAddress(bytes), ttl: Math.min(ttl, sane(record.ttl)) }];
}

function service(record: Extract<Answer, { type: 'SRV' }>, ttl: number): SrvRecord[] {
  const { port, priority = 0, weight = 0 } = record.data;
  const target = withoutTrailingDot(record.data.target).toLowerCase();
  // The target "." says that the service is decidedly not there (RFC 2782).
  if (!isHostname(target)) return [];
  const name = withoutTrailingDot(record.name).toLowerCase();
  return [{ type: 'SRV', name, target, port, priority, weight, ttl: Math.min(ttl, sane(record.ttl)) }];
}

function sameName(name: string, lower: string): boolean {
  return withoutTrailingDot(name).toLowerCase() === lower;
}

function sane(ttl: number | undefined): number {
  return ttl === undefined || ttl > MAX_TTL ? 0 : ttl;
}
