/** Hash functions of text, each to 32 bits, over its UTF-16 units (HTTP gives one per octet). */
export type HashFunction = 'sdbm' | 'djb2' | 'crc32';

/**
 * What a piece of work is hashed to.
 *
 * @param avalanche whether every bit of the input is to reach every bit of the hash (HAProxy: hash-type, modifier)
 */
export function hashText(text: string, kind: HashFunction, avalanche: boolean): number {
  const hash = FUNCTIONS[kind](text);
  return avalanche ? mix(hash) : hash;
}

/** Spreads a number over all 32 bits, so that near numbers end up far from each other (MurmurHash3's finaliser). */
export function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const FUNCTIONS: Record<HashFunction, (text: string) => number> = { sdbm, djb2, crc32 };

/** Of the sdbm database library. */
function sdbm(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash, 65_599) + text.charCodeAt(i);
  return hash >>> 0;
}

/** Bernstein's, times 33. */
function djb2(text: string): number {
  let hash = 5381;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 33) + text.charCodeAt(i)) | 0;
  return hash >>> 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let value = octet;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 of ISO 3309, as in gzip (RFC 1952, section 8). */
function crc32(text: string): number {
  let hash = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    hash = (hash >>> 8) ^ (CRC_TABLE[(hash ^ text.charCodeAt(i)) & 0xff] ?? 0);
  }
  return (hash ^ 0xffffffff) >>> 0;
}
