import { parseGoDuration } from './go-duration.ts';
import { Refusal } from './refusal.ts';

/** Longest and usual wait of a blocking query, ms (https://developer.hashicorp.com/consul/api-docs/features/blocking). */
const LONGEST_WAIT = 600_000;
const DEFAULT_WAIT = 300_000;

/** What an indexed read is asked to do besides reading. */
export interface ReadOptions {
  /** 0: answer at once. */
  readonly index: number;
  /** Milliseconds, without the random part that is added to it. */
  readonly wait: number;
  readonly consistency: 'leader' | 'stale' | 'consistent';
  readonly cached: boolean;
  /** What a cache has is not taken, only what is so now. */
  readonly revalidate: boolean;
  /** Oldest answer that is taken, ms; Infinity: any. */
  readonly maxStale: number;
}

/** Reads `index`, `wait` and the consistency parameters. Throws Consul's 400s. */
export function readOptions(query: URLSearchParams, cacheControl: string | undefined): ReadOptions {
  const revalidate = revalidates(cacheControl);
  return { index: indexOf(query), wait: waitOf(query), revalidate, ...consistencyOf(query) };
}

/** The `wait` parameter, bounded as Consul bounds it. */
export function waitOf(query: URLSearchParams): number {
  const given = query.get('wait') ?? '';
  const wait = given === '' ? 0 : parseGoDuration(given);
  if (wait === undefined) throw new Refusal(400, 'Invalid wait time');
  return wait <= 0 ? DEFAULT_WAIT : Math.min(wait, LONGEST_WAIT);
}

/** Indexes are 64 bits wide in Consul; those too large for a number are above any index there will ever be. */
function indexOf(query: URLSearchParams): number {
  const given = query.get('index') ?? '';
  if (given === '') return 0;
  if (!/^\d{1,20}$/.test(given) || BigInt(given) >= 2n ** 64n) throw new Refusal(400, 'Invalid index');
  return Math.min(Number(given), Number.MAX_SAFE_INTEGER);
}

function consistencyOf(query: URLSearchParams): Pick<ReadOptions, 'consistency' | 'cached' | 'maxStale'> {
  const consistent = query.has('consistent');
  const cached = query.has('cached');
  let stale = query.has('stale');
  const given = query.get('max_stale') ?? '';
  let maxStale = Number.POSITIVE_INFINITY;
  if (given !== '') {
    const longest = parseGoDuration(given);
    if (longest === undefined) throw new Refusal(400, `Invalid max_stale value ${JSON.stringify(given)}`);
    stale ||= longest > 0;
    if (longest > 0) maxStale = longest;
  }
  for (const [asked, name] of [
    [stale, 'stale'],
    [cached, 'cached'],
  ] as const) {
    if (asked && consistent) {
      throw new Refusal(400, `Cannot specify ?${name} with ?consistent, conflicting semantics.`);
    }
  }
  return { consistency: consistent ? 'consistent' : stale ? 'stale' : 'leader', cached, maxStale };
}

/**
 * Consul reads some of these directives as whole seconds, and refuses anything else with a 400. `must-revalidate`, which
 * `max-age=0` is too, says that nothing out of a cache is taken.
 */
function revalidates(header: string | undefined): boolean {
  let revalidate = false;
  for (const directive of header?.toLowerCase().split(',') ?? []) {
    const [name = '', value = ''] = directive.split('=', 2).map((part) => part.trim());
    const counted = /^(?:max-age|stale-if-error|min-fresh)$/.test(name);
    if (counted && !/^"?\d+"?$/.test(value)) throw new Refusal(400, 'Invalid Cache-Control header.');
    revalidate ||= name === 'must-revalidate' || (name === 'max-age' && /^"?0+"?$/.test(value));
  }
  return revalidate;
}

/** Parameters that do not decide what is answered, only when and how fresh it is. */
const PASSING_PARAMETERS = ['index', 'wait', 'stale', 'consistent', 'cached', 'max_stale', 'dc'] as const;

/** What makes two requests for the same path ask for the same. */
export function lastingQuery(query: URLSearchParams): string {
  const left = new URLSearchParams(query);
  for (const name of PASSING_PARAMETERS) left.delete(name);
  left.sort();
  return left.toString();
}

/** Refuses another datacenter than this one; the name is compared exactly, and empty means this one. */
export function checkDatacenter(asked: string | null, own: string): void {
  if (asked && asked !== own) throw new Refusal(500, 'No path to datacenter');
}

/** Consul's free edition refuses namespaces on every endpoint. */
export function refuseNamespace(query: URLSearchParams, header: string | undefined): void {
  if (query.get('ns')) {
    throw new Refusal(
      400,
      'Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature',
    );
  }
  if (header) {
    throw new Refusal(
      400,
      'Bad request: Invalid header: "X-Consul-Namespace" - Namespaces are a Consul Enterprise feature',
    );
  }
}

/** `node-meta=key:value`, repeatable: all must hold. Without a colon the value is empty. */
export function nodeMetaMatcher(
  query: URLSearchParams,
): ((meta: Readonly<Record<string, string>> | null) => boolean) | undefined {
  const wanted = query.getAll('node-meta').map((pair) => {
    const colon = pair.indexOf(':');
    return colon < 0 ? ([pair, ''] as const) : ([pair.slice(0, colon), pair.slice(colon + 1)] as const);
  });
  if (wanted.length === 0) return undefined;
  return (meta) =>
    wanted.every(([key, value]) => meta !== null && Object.hasOwn(meta, key) && meta[key] === value);
}

/** `tag=x`, repeatable: all must be there, in any case. Undefined without the parameter. */
export function tagMatcher(query: URLSearchParams): ((tags: readonly string[]) => boolean) | undefined {
  const wanted = query.getAll('tag').map((tag) => tag.toLowerCase());
  if (wanted.length === 0) return undefined;
  return (tags) => {
    const present = new Set(tags.map((tag) => tag.toLowerCase()));
    return wanted.every((tag) => present.has(tag));
  };
}

/** Go's strconv.ParseBool; undefined for any other word. */
export function parseBool(word: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(word)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(word)) return false;
  return undefined;
}
