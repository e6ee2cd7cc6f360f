import type { Clock } from '../../core/clock.ts';
import type { RegistryCommands } from '../../registry/commands.ts';
import type { Check, CheckStatus, Instance } from '../../registry/model.ts';
import type { AtIndex, CatalogReader, Query } from '../../registry/reader.ts';
import { type Answer, json } from './answer.ts';
import type { ScriptChecks } from './check-request.ts';
import type { ParkedQueries } from './parked-queries.ts';
import { checkDatacenter, readOptions } from './query.ts';
import type { Call } from './route.ts';

/** Takes the results that TTL checks are told about. */
export interface ChecksPort {
  /** Resolves to false when this node has no TTL check of that id. */
  ttlUpdate(id: string, status: CheckStatus, output: string): Promise<boolean>;
}

/** What the routes work on. */
export interface ApiContext {
  readonly registry: RegistryCommands & { readonly catalog: CatalogReader };
  readonly checks: ChecksPort;
  readonly scriptChecks: ScriptChecks;
  readonly parked: ParkedQueries;
  readonly clock: Clock;
  readonly version: string;
}

/**
 * Answers an indexed read: waits first if the client named an index that nothing has gone beyond yet, then reads
 * once and stamps the answer with the index it was read at.
 */
export async function indexed<T>(
  api: ApiContext,
  call: Call,
  query: Query,
  read: () => AtIndex<T>,
  encode: (value: T) => unknown,
): Promise<Answer> {
  const options = readOptions(call.query, call.header('cache-control'));
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  if (options.index > 0) {
    await api.parked.changed(query, options.index, api.parked.deadline(options.wait), call.onGone);
  }
  const { index, value } = read();
  return json(encode(value), {
    'X-Consul-Effective-Consistency': options.consistency,
    'X-Consul-Index': String(Math.max(1, index)),
    'X-Consul-Knownleader': 'true',
    'X-Consul-Lastcontact': '0',
    // Every read is served from memory, so a cached one is always a fresh hit.
    ...(options.cached ? { 'X-Cache': 'HIT', Age: '0' } : {}),
  });
}

/** The agent's own instances: those of this process's node. */
export function ownInstances(api: ApiContext): readonly Instance[] {
  const { catalog } = api.registry;
  return catalog.node(catalog.self).value?.instances ?? [];
}

/** One of the agent's own instances. Unlike the catalog, the agent tells ids apart by case. */
export function ownInstance(api: ApiContext, id: string): Instance | undefined {
  const { catalog } = api.registry;
  const instance = catalog.instance(catalog.self, id);
  return instance?.id === id ? instance : undefined;
}

/** The server's own liveness check, which the agent does not list among its checks. */
const SERF_HEALTH = 'serfHealth';

/** The agent's own checks, of its node and of its instances. */
export function ownChecks(api: ApiContext): readonly Check[] {
  const { catalog } = api.registry;
  return catalog.nodeChecks(catalog.self).value.filter((check) => check.id !== SERF_HEALTH);
}

/** One of the agent's own checks, told apart by case. */
export function ownCheck(api: ApiContext, id: string): Check | undefined {
  const { catalog } = api.registry;
  const check = id === SERF_HEALTH ? undefined : catalog.check(catalog.self, id);
  return check?.id === id ? check : undefined;
}
