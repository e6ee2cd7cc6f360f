/** Octets as numbers, and classes of them as tables: a lookup per octet is what makes the parsers fast. */
export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const QUOTE = 0x22;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;

/** What tokens such as methods and field names consist of (RFC 9110, section 5.6.2). */
export const TOKEN = table((octet) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(octet)));
/** What request-targets consist of: visible ASCII (RFC 9112, section 3.2). */
export const TARGET = table((octet) => octet > SP && octet < 0x7f);
/** What field values and reason phrases consist of (RFC 9110, section 5.5). */
export const VALUE = table((octet) => octet === TAB || (octet >= SP && octet !== 0x7f));

/** The first position from `from` on whose octet is not in the table, or `stop`. */
export function skip(table: Uint8Array, bytes: Uint8Array, from: number, stop: number): number {
  let i = from;
  while (i < stop && table[bytes[i] ?? 0] === 1) i++;
  return i;
}

function table(holds: (octet: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => (holds(octet) ? 1 : 0));
}
