import { type AddressBytes, addressToHex, familyOf, formatAddress } from './address.ts';
import type { DnsRecord, Lookup, QuestionType } from './lookup.ts';
import { isHostname, withoutTrailingDot } from './names.ts';

/** The A or AAAA record of an address. */
export function addressRecord(name: string, address: AddressBytes, ttl: number): DnsRecord {
  return { name, type: familyOf(address), ttl, data: formatAddress(address) };
}

/** True where a question of this type is answered with an address of this family. */
export function wantsFamily(type: QuestionType, address: AddressBytes): boolean {
  return type === 'ANY' || type === familyOf(address);
}

/** A CNAME to a host name that stands in an address field, with what the zone itself knows about that name. */
export function aliasRecords(
  name: string,
  hostname: string,
  type: QuestionType,
  ttl: number,
  lookup: Lookup,
): DnsRecord[] {
  const target = withoutTrailingDot(hostname);
  return [{ name, type: 'CNAME', ttl, data: target }, ...chased(target, type, ttl, lookup)];
}

/** Records of a name that another record leads to, as Consul hands them on: few, and with the TTL of that record. */
export function chased(name: string, type: QuestionType, ttl: number, lookup: Lookup): DnsRecord[] {
  return lookup
    .chase(name, type)
    .slice(0, MAX_CHASED)
    .map((record) => ({ ...record, ttl }));
}

const MAX_CHASED = 5;

/** `0a500101.addr.dc1.consul`: a name for an address that has none of its own. */
export function addressName(address: AddressBytes, lookup: Lookup): string {
  return `${addressToHex(address)}.addr.${lookup.zone.datacenter}.${lookup.zone.domain}`;
}

/** `lb-1.node.dc1.consul`; undefined when the node's name is no host name, as the registry allows. */
export function nodeName(node: string, lookup: Lookup): string | undefined {
  const name = `${node}.node.${lookup.zone.datacenter}.${lookup.zone.domain}`;
  return isHostname(name) ? name : undefined;
}

const RFC1035_PREFIX = 'rfc1035-';
const TXT_STRING_BYTES = 255;

/**
 * One TXT record per entry of a node's meta: `key=value` (RFC 1464), or the value alone for keys that start
 * with `rfc1035-`.
 */
export function metaRecords(
  name: string,
  meta: Readonly<Record<string, string>> | null,
  ttl: number,
): DnsRecord[] {
  return Object.entries(meta ?? {}).map(([key, value]) => {
    const text = key.toLowerCase().startsWith(RFC1035_PREFIX) ? value : `${quoteKey(key)}=${value}`;
    return { name, type: 'TXT', ttl, data: textStrings(text) };
  });
}

/** RFC 1464: backquotes before `=`, a backquote, and spaces or tabs at the ends of the key. */
function quoteKey(key: string): string {
  return key.replace(/[`=]/g, '`$&').replace(/^[ \t]+|[ \t]+$/g, (blanks) => blanks.replace(/./g, '`$&'));
}

/** TXT data is a list of strings of at most 255 bytes each. */
function textStrings(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const strings: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += TXT_STRING_BYTES) {
    strings.push(bytes.subarray(at, at + TXT_STRING_BYTES));
  }
  return strings.length > 0 ? strings : [Buffer.alloc(0)];
}
