import { RecentMap } from '../../dns/recent-map.ts';
import type { Query } from '../../registry/reader.ts';
import { lastingQuery, type ReadOptions } from './query.ts';

const MAX_SEEN = 4_096;
const MAX_SEEN_BYTES = 1024 * 1024;

/** What Consul's agent can answer from its cache. */
const CACHEABLE: ReadonlySet<Query['kind']> = new Set(['services', 'catalog-service', 'health-service']);

/**
 * What clients are told about Consul's agent cache (https://developer.hashicorp.com/consul/api-docs/features/caching):
 * a read with `?cached` that was not asked before is a miss, and later a hit. Here every read is served from memory and
 * so always of this moment: a hit's age is 0.
 */
export class AgentCache {
  readonly #seen = new RecentMap<true>(MAX_SEEN, MAX_SEEN_BYTES);

  /** @param parameters of the request, without its token */
  headers(
    query: Query,
    parameters: URLSearchParams,
    { cached, revalidate }: Pick<ReadOptions, 'cached' | 'revalidate'>,
  ): Readonly<Record<string, string>> {
    if (!cached || !CACHEABLE.has(query.kind)) return {};
    const key = `${JSON.stringify(query)}?${lastingQuery(parameters)}`;
    const hit = !revalidate && this.#seen.get(key) === true;
    this.#seen.set(key, true, key.length);
    return hit ? { 'X-Cache': 'HIT', Age: '0' } : { 'X-Cache': 'MISS' };
  }
}
