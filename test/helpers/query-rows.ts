import type { Change } from '../../src/registry/model.ts';
import type { PreparedQueryRequest } from '../../src/registry/prepared-queries.ts';

/** A prepared query of the service `web`. */
export function queryRequest(more: Partial<PreparedQueryRequest> = {}): PreparedQueryRequest {
  return {
    name: '',
    session: '',
    service: 'web',
    onlyPassing: false,
    ignoreCheckIds: null,
    tags: null,
    nodeMeta: null,
    serviceMeta: null,
    near: '',
    failover: { nearestN: 0, datacenters: null },
    ttl: '',
    ttlMs: 0,
    ...more,
  };
}

export function putQuery(id: string, more: Partial<PreparedQueryRequest> = {}): Change {
  return { op: 'put-query', query: { ...queryRequest(more), id } };
}
