import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import type { BalanceAlgorithm } from './runtime/backends.ts';

const ALGORITHMS = ['roundrobin', 'leastconn', 'random'] as const;

/** HAProxy's own bound would be the number of servers; more draws than this is `leastconn`. */
const MOST_DRAWS = 100;

/** `roundrobin`, `leastconn`, `random` or `random(DRAWS)` (configuration manual, section 4.2, `balance`). */
export function parseBalance(text: string): Parsed<BalanceAlgorithm> {
  const match = /^([a-z-]+)(?:\((\d{1,9})\))?$/.exec(text.trim());
  const kind = ALGORITHMS.find((known) => known === match?.[1]);
  if (kind === undefined || (kind !== 'random' && match?.[2] !== undefined)) {
    const message = `expected roundrobin, leastconn, random or random(DRAWS), found ${JSON.stringify(text)}`;
    return unparsed(message, undefined, kind === undefined ? didYouMean(text, ALGORITHMS) : undefined);
  }
  if (kind !== 'random') return parsed({ kind });
  const draws = Number(match?.[2] ?? 2);
  return draws >= 1 && draws <= MOST_DRAWS
    ? parsed({ kind, draws })
    : unparsed(`expected 1 to ${MOST_DRAWS} draws, found ${draws}`);
}
