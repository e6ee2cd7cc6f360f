import { parseHost, parseNetwork } from './address.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { InitAddr } from './runtime/servers.ts';

const METHODS = ['last', 'libc', 'none'] as const;
const MOST_NETWORKS = 32;
const MOST_METHODS = 16;

/** `last,libc,10.0.0.1`: where the first servers of a name come from, tried in order (HAProxy's `init-addr`). */
export function parseInitAddr(text: string): Parsed<readonly InitAddr[]> {
  return parseList(text, MOST_METHODS, (word): Parsed<InitAddr> => {
    const method = METHODS.find((one) => one === word);
    if (method) return parsed({ kind: method });
    const address = parseHost(word);
    if (address.ok && address.value.kind !== 'name') {
      return parsed({ kind: 'address', address: address.value.host });
    }
    const message = `expected last, libc, none or an IP address, found ${JSON.stringify(word)}`;
    return unparsed(message, undefined, didYouMean(word, METHODS));
  });
}

/** `10.0.0.0/8,2001:db8::/32` (HAProxy's `resolve-net`). */
export function parseNetworks(text: string): Parsed<readonly string[]> {
  return parseList(text, MOST_NETWORKS, parseNetwork);
}

function parseList<T>(text: string, most: number, parse: (word: string) => Parsed<T>): Parsed<readonly T[]> {
  const values: T[] = [];
  let offset = 0;
  for (const part of text.split(',')) {
    const value = parse(part.trim());
    if (!value.ok) return { ...value, offset: offset + (part.length - part.trimStart().length) };
    values.push(value.value);
    offset += part.length + 1;
  }
  return values.length > most
    ? unparsed(`${values.length} of them: expected ${most} at most`)
    : parsed(values);
}
