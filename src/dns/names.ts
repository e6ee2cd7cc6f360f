import { type AddressBytes, hexToAddress, reverseNameToAddress } from './address.ts';

/** The part of the name space that the registry answers for. */
export interface Zone {
  /** Without a trailing dot: `consul`. Compared without case. */
  readonly domain: string;
  /** Another domain with the same names. */
  readonly altDomain?: string | undefined;
  readonly datacenter: string;
}

/** What a query name asks for. Names inside are lower case. */
export type ParsedName =
  /** `[tag.]web.service[.dc].consul`, `_web._tag.service[.dc].consul`, for SRV also `_web._tcp.consul`. */
  | { readonly kind: 'service'; readonly service: string; readonly tag: string | undefined }
  /** `lb-1.node[.dc].consul`; node names may hold dots. */
  | { readonly kind: 'node'; readonly node: string }
  /** `0a500101.addr[.dc].consul`; undefined for a label whose length is that of no address. */
  | { readonly kind: 'addr'; readonly address: AddressBytes | undefined }
  /** `near.query[.dc].consul`: a prepared query by its name, which may hold dots, or its id. */
  | { readonly kind: 'query'; readonly query: string }
  /** A name under `in-addr.arpa` or `ip6.arpa`; undefined when it is not a whole address. */
  | { readonly kind: 'reverse'; readonly address: AddressBytes | undefined }
  /** Within the zone, but nothing that could ever exist: another datacenter, no known keyword, the apex itself. */
  | { readonly kind: 'unknown' }
  /** Not the registry's to answer. */
  | { readonly kind: 'outside' };

const UNKNOWN: ParsedName = { kind: 'unknown' };
const KEYWORDS: ReadonlySet<string> = new Set(['service', 'node', 'addr', 'query']);

/**
 * Reads a query name by Consul's rules (DNS interface, "service lookups"): the rightmost keyword label decides,
 * one label after it may name the datacenter, labels before the service's are its tag, joined by dots again.
 *
 * @param name with or without a trailing dot, any case
 * @param srv the question is for SRV records: the `service` label may then be left out
 */
export function parseName(name: string, zone: Zone, srv: boolean): ParsedName {
  const lower = withoutTrailingDot(name).toLowerCase();
  if (lower.endsWith('.in-addr.arpa') || lower.endsWith('.ip6.arpa')) {
    return { kind: 'reverse', address: reverseNameToAddress(lower) };
  }
  const domain = domainOf(lower, zone);
  if (domain === undefined) return { kind: 'outside' };
  if (lower === domain) return UNKNOWN;

  const { labels, at } = labelsOf(lower, domain, srv);
  const keyword = labels[at];
  if (keyword === undefined || labels.includes('')) return UNKNOWN;
  const suffix = labels.slice(at + 1);
  if (suffix.length > 1 || (suffix[0] !== undefined && suffix[0] !== zone.datacenter.toLowerCase())) {
    // The datacenter in an address name means nothing: the answer is in the name itself.
    if (keyword !== 'addr' || suffix.length > 1) return UNKNOWN;
  }

  if (keyword === 'node') return parseNode(labels.slice(0, at));
  if (keyword === 'query')
    return at === 0 ? UNKNOWN : { kind: 'query', query: labels.slice(0, at).join('.') };
  if (keyword === 'addr') return parseAddr(labels.slice(0, at));
  return parseService(labels.slice(0, keyword === 'service' ? at : at + 1));
}

/** The datacenter that a name within the zone gives, in lower case; undefined where it gives none. */
export function datacenterIn(name: string, zone: Omit<Zone, 'datacenter'>, srv: boolean): string | undefined {
  const lower = withoutTrailingDot(name).toLowerCase();
  const domain = domainOf(lower, zone);
  if (domain === undefined || lower === domain) return undefined;
  const { labels, at } = labelsOf(lower, domain, srv);
  return at >= 0 && at === labels.length - 2 ? labels.at(-1) : undefined;
}

/** The labels before the domain, and where the one stands that says what is asked for; -1: nowhere. */
function labelsOf(lower: string, domain: string, srv: boolean) {
  const labels = lower.slice(0, -domain.length - 1).split('.');
  const at = labels.findLastIndex((label) => KEYWORDS.has(label) || (srv && label.startsWith('_')));
  return { labels, at };
}

/** True for the zone's domains themselves and every name below them. */
export function isInZone(name: string, zone: Omit<Zone, 'datacenter'>): boolean {
  return domainOf(withoutTrailingDot(name).toLowerCase(), zone) !== undefined;
}

/** The domain that a name is in: where one lies within the other, the longer one. */
function domainOf(lower: string, { domain, altDomain }: Omit<Zone, 'datacenter'>): string | undefined {
  let found: string | undefined;
  for (const one of altDomain === undefined ? [domain] : [domain, altDomain]) {
    const own = one.toLowerCase();
    if (lower !== own && !lower.endsWith(`.${own}`)) continue;
    if (found === undefined || own.length > found.length) found = own;
  }
  return found;
}

/**
 * True where a name from the registry can be put into a record: letters, digits, hyphens and underscores in
 * labels of 1 to 63, 253 characters at most (RFC 1035 section 2.3.4). What services register is not trusted to be.
 */
export function isHostname(name: string): boolean {
  const plain = withoutTrailingDot(name);
  return plain.length <= 253 && plain.split('.').every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label));
}

/** Tags compare without case in names, as in Consul; the tag of a {@link ParsedName} is lower case already. */
export function hasTag(tags: readonly string[], tag: string): boolean {
  return tags.some((own) => own.toLowerCase() === tag);
}

export function withoutTrailingDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

function parseService(labels: readonly string[]): ParsedName {
  const service = labels.at(-1);
  if (service === undefined) return UNKNOWN;
  const [first, second] = labels;
  // RFC 2782: `_web._tcp` is the service web whatever its tags, any other protocol label is a tag.
  if (labels.length === 2 && first?.startsWith('_') && second?.startsWith('_')) {
    const tag = second.slice(1);
    return { kind: 'service', service: first.slice(1), tag: tag === 'tcp' || tag === '' ? undefined : tag };
  }
  return { kind: 'service', service, tag: labels.length > 1 ? labels.slice(0, -1).join('.') : undefined };
}

function parseNode(labels: readonly string[]): ParsedName {
  return labels.length === 0 ? UNKNOWN : { kind: 'node', node: labels.join('.') };
}

function parseAddr(labels: readonly string[]): ParsedName {
  const [label] = labels;
  if (label === undefined || labels.length > 1) return UNKNOWN;
  const address = hexToAddress(label);
  if (address) return { kind: 'addr', address };
  // Consul tells a wrong length (an existing name without records) from wrong digits (no such name).
  const bytes = Math.floor(label.length / 2);
  return bytes === 4 || bytes === 16 ? UNKNOWN : { kind: 'addr', address: undefined };
}
