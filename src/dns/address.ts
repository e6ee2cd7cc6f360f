/**
 * IP addresses as the DNS writes them: raw bytes, hexadecimal labels (`0a500101.addr.consul`) and reverse
 * names (RFC 1035 section 3.5, RFC 3596 section 2.5). Pure: no socket module is needed to read an address.
 */

/** 4 or 16 bytes. An IPv4-mapped IPv6 address is the IPv4 address it stands for, as in Consul. */
export type AddressBytes = readonly number[];

/** Undefined when `text` is not an IP address (a host name, an address with a zone id, nothing). */
export function parseAddress(text: string): AddressBytes | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** The one spelling of an address that others compare with: RFC 5952 for IPv6. */
export function formatAddress(bytes: AddressBytes): string {
  return bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes);
}

export function familyOf(bytes: AddressBytes): 'A' | 'AAAA' {
  return bytes.length === 4 ? 'A' : 'AAAA';
}

/** The label Consul makes of an address: 8 or 32 lower-case hexadecimal digits. */
export function addressToHex(bytes: AddressBytes): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The inverse of {@link addressToHex}; undefined for anything but 8 or 32 hexadecimal digits. */
export function hexToAddress(label: string): AddressBytes | undefined {
  if (!/^(?:[0-9a-f]{8}|[0-9a-f]{32})$/i.test(label)) return undefined;
  return unmap(
    Array.from({ length: label.length / 2 }, (_, i) => Number.parseInt(label.slice(2 * i, 2 * i + 2), 16)),
  );
}

/** Reads `1.2.0.10.in-addr.arpa` or 32 nibbles under `ip6.arpa`; undefined when the name is not a whole address. */
export function reverseNameToAddress(name: string): AddressBytes | undefined {
  const labels = name.toLowerCase().split('.').reverse();
  if (labels[0] !== 'arpa') return undefined;
  const parts = labels.slice(2);
  if (labels[1] === 'in-addr' && parts.length === 4) return parseIpv4(parts.join('.'));
  if (labels[1] === 'ip6' && parts.length === 32) return hexToAddress(parts.join(''));
  return undefined;
}

function parseIpv4(text: string): AddressBytes | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  // No leading zeros: some readers take those for octal.
  if (!parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.map(Number);
}

function parseIpv6(text: string): AddressBytes | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  // `::` stands for at least one group of zeros; without it all eight groups must be there.
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return unmap([...head, ...Array.from({ length: missing }, () => 0), ...tail]);
}

/** The bytes of `a:b:c`, whose last group may be a dotted IPv4 address when `last` says it ends the whole. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (last && i === groups.length - 1 && group.includes('.')) {
      const ipv4 = parseIpv4(group);
      if (!ipv4) return undefined;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

const MAPPED_PREFIX = '0,0,0,0,0,0,0,0,0,0,255,255';

function unmap(bytes: readonly number[]): AddressBytes {
  return bytes.length === 16 && bytes.slice(0, 12).join() === MAPPED_PREFIX ? bytes.slice(12) : bytes;
}

function formatIpv6(bytes: AddressBytes): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const zeros = longestZeroRun(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [i, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i - length + 1, length };
  }
  return best;
}
