import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { BalanceAlgorithm, HashConfig, HashSubject } from './runtime/balance.ts';

/** `balance` as written: how hashes are made stands in other keys. */
export type BalanceWords =
  | Exclude<BalanceAlgorithm, { kind: 'hash' }>
  | { readonly kind: 'hash'; readonly by: HashSubject };

export type HashTypeWords = Pick<HashConfig, 'type' | 'function' | 'avalanche'>;

const PLAIN = ['roundrobin', 'static-rr', 'leastconn', 'first', 'peak-ewma', 'source'] as const;
const ALGORITHMS = [...PLAIN, 'random', 'uri', 'url_param', 'hdr'] as const;

/** HAProxy's own bound would be the number of servers; more draws than this is `leastconn`. */
const MOST_DRAWS = 100;
/** Of characters or path segments. */
const LONGEST_URI = 65_535;

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;

/**
 * `roundrobin`, `leastconn`, `random(DRAWS)`, `uri whole len 64 depth 3`, `url_param NAME`, `hdr(NAME)`, … (configuration
 * manual, section 4.2, `balance`).
 */
export function parseBalance(text: string): Parsed<BalanceWords> {
  const match = /^\s*([a-z_-]+)(?:\(([^()]*)\))?(.*)$/s.exec(text);
  const algorithm = ALGORITHMS.find((known) => known === match?.[1]);
  const argument = match?.[2];
  const rest = [...(match?.[3] ?? '').matchAll(/\S+/g)].map(([word]) => word);
  if (algorithm === undefined) {
    const message = `expected one of ${ALGORITHMS.join(', ')}, found ${JSON.stringify(text)}`;
    return unparsed(message, undefined, didYouMean(match?.[1] ?? text, ALGORITHMS));
  }
  if (argument !== undefined && algorithm !== 'random' && algorithm !== 'hdr') {
    return unparsed(`${algorithm} takes nothing in parentheses`);
  }
  if (algorithm === 'uri') return parseUri(rest);
  if (algorithm === 'url_param') {
    const [name, ...others] = rest;
    if (name === undefined || others.length > 0)
      return unparsed('expected url_param and the name of one parameter');
    return parsed({ kind: 'hash', by: { kind: 'url_param', name } });
  }
  if (rest.length > 0)
    return unparsed(`${algorithm} is followed by nothing, found ${JSON.stringify(rest.join(' '))}`);
  if (algorithm === 'hdr') {
    if (!HEADER_NAME.test(argument ?? '')) return unparsed('expected hdr(NAME) with the name of a header');
    return parsed({ kind: 'hash', by: { kind: 'hdr', name: (argument ?? '').toLowerCase() } });
  }
  if (algorithm === 'source') return parsed({ kind: 'hash', by: { kind: 'source' } });
  if (algorithm !== 'random') return parsed({ kind: algorithm });
  const draws = Number(argument ?? 2);
  return /^\d{1,9}$/.test(argument ?? '2') && draws >= 1 && draws <= MOST_DRAWS
    ? parsed({ kind: algorithm, draws })
    : unparsed(`expected 1 to ${MOST_DRAWS} draws, found ${argument}`);
}

function parseUri(words: readonly string[]): Parsed<BalanceWords> {
  let whole = false;
  const numbers = { len: 0, depth: 0 };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === 'whole') whole = true;
    else if (word === 'len' || word === 'depth') {
      const value = Number(words[++i]);
      if (!Number.isInteger(value) || value < 1 || value > LONGEST_URI) {
        return unparsed(`expected ${word} from 1 to ${LONGEST_URI}, found ${words[i] ?? 'nothing'}`);
      }
      numbers[word] = value;
    } else if (word !== 'path-only') {
      return unparsed(`expected whole, len N or depth N after uri, found ${word}`);
    }
  }
  return parsed({ kind: 'hash', by: { kind: 'uri', whole, ...numbers } });
}

const TYPES = ['map-based', 'consistent'] as const;
const FUNCTIONS = ['sdbm', 'djb2', 'crc32'] as const;

/**
 * `consistent`, `map-based djb2`, `consistent crc32 avalanche` (configuration manual, section 4.2, `hash-type`). As there,
 * consistent hashes of sdbm are mixed once more unless another function is named.
 */
export function parseHashType(text: string): Parsed<HashTypeWords> {
  const [first = '', ...others] = text.trim().split(/\s+/);
  const type = TYPES.find((known) => known === first);
  if (type === undefined) {
    return unparsed(
      `expected map-based or consistent, found ${JSON.stringify(first)}`,
      undefined,
      didYouMean(first, TYPES),
    );
  }
  const named = FUNCTIONS.find((known) => known === others[0]);
  const modifiers = named === undefined ? others : others.slice(1);
  const [modifier] = modifiers;
  if (modifiers.length > 1 || (modifier !== undefined && modifier !== 'avalanche')) {
    return unparsed(`expected one of ${FUNCTIONS.join(', ')}, then avalanche, found ${others.join(' ')}`);
  }
  const avalanche = modifier !== undefined || (type === 'consistent' && named === undefined);
  return parsed({ type, function: named ?? 'sdbm', avalanche });
}
