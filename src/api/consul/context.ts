import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { RegistryCommands } from '../../registry/commands.ts';
import type { KeyValues } from '../../registry/key-values.ts';
import type { Check, CheckStatus, Instance } from '../../registry/model.ts';
import { isOwnCheck, isOwnInstance } from '../../registry/names.ts';
import type { PreparedQueries } from '../../registry/prepared-queries.ts';
import type { AtIndex, CatalogReader, Query } from '../../registry/reader.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Sessions } from '../../registry/sessions.ts';
import type { Transactions } from '../../registry/transactions.ts';
import type { Access } from './access.ts';
import type { AgentCache } from './agent-cache.ts';
import type { ProcessPort } from './agent-process.ts';
import { type Answer, json } from './answer.ts';
import type { ScriptChecks } from './check-request.ts';
import type { ParkedQueries } from './parked-queries.ts';
import { checkDatacenter, readOptions } from './query.ts';
import type { Call } from './route.ts';

/** Whoever runs this node's checks. */
export interface ChecksPort {
  /** Resolves to false when this node has no TTL check of that id. */
  ttlUpdate(id: string, status: CheckStatus, output: string): Promise<boolean>;
  /** Starts the timers of these checks anew; unknown ids are passed over. */
  restart(ids: Iterable<string>): void;
}

/** What the routes work on. */
export interface ApiContext {
  readonly registry: RegistryCommands & {
    readonly catalog: CatalogReader;
    readonly restore: Registry['restore'];
    /** Undefined: no other node shares the registry. */
    readonly cluster?: Registry['cluster'];
    readonly leaveOnStop?: Registry['leaveOnStop'];
    readonly kv: Pick<KeyValues, 'write'>;
    readonly sessions: Pick<Sessions, 'create' | 'destroy' | 'renew'>;
    readonly transactions: Pick<Transactions, 'run'>;
    readonly queries: Pick<PreparedQueries, 'create' | 'update' | 'delete'>;
  };
  readonly checks: ChecksPort;
  readonly scriptChecks: ScriptChecks;
  /** Only to tell whether there is such a thing; what a client may do is the call's {@link Call.rights}. */
  readonly access: Pick<Access, 'enabled'>;
  /** Undefined: there is no other. */
  readonly datacenters?: { readonly names: readonly string[] };
  /** Warnings count as failures; by default as in Consul. */
  readonly warningsFail?: boolean;
  /** Unknown fields of bodies are passed over; by default refused, as in Consul. */
  readonly lenientFields?: boolean;
  readonly agentCache: AgentCache;
  readonly parked: ParkedQueries;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Undefined where nobody may end or reload the process over the API. */
  readonly process?: ProcessPort;
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
  const { value, headers, options } = await observed(api, call, query, read);
  return json(encode(value), {
    'X-Consul-Effective-Consistency': options.consistency,
    ...headers,
    ...api.agentCache.headers(query, call.query, options),
  });
}

/** The same for a read whose answer is put together by the caller: what was read, and the headers that tell of it. */
export async function observed<T>(api: ApiContext, call: Call, query: Query, read: () => AtIndex<T>) {
  const options = readOptions(call.query, call.header('cache-control'));
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  const { index, wait } = options;
  const changed =
    index === 0 || (await api.parked.changed(query, index, api.parked.deadline(wait), call.onGone));
  const found = read();
  // An index shared with other queries may have risen meanwhile; to this client nothing has happened.
  const reported = changed ? found.index : Math.min(found.index, index);
  const headers = {
    'X-Consul-Index': String(Math.max(1, reported)),
    'X-Consul-Knownleader': 'true',
    'X-Consul-Lastcontact': '0',
  };
  return { value: found.value, headers, options };
}

/** The agent's own instances: those of this process's node, without the one that stands for the registry. */
export function ownInstances(api: ApiContext): readonly Instance[] {
  const { catalog } = api.registry;
  return catalog.node(catalog.self).value?.instances.filter(({ id }) => !isOwnInstance(id)) ?? [];
}

/** One of the agent's own instances. Unlike the catalog, the agent tells ids apart by case. */
export function ownInstance(api: ApiContext, id: string): Instance | undefined {
  const { catalog } = api.registry;
  const instance = isOwnInstance(id) ? undefined : catalog.instance(catalog.self, id);
  return instance?.id === id ? instance : undefined;
}

/** The agent's own checks, of its node and of its instances; serfHealth is the servers'. */
export function ownChecks(api: ApiContext): readonly Check[] {
  const { catalog } = api.registry;
  return catalog.nodeChecks(catalog.self).value.filter(({ id }) => !isOwnCheck(id));
}

/** One of the agent's own checks, told apart by case. */
export function ownCheck(api: ApiContext, id: string): Check | undefined {
  const { catalog } = api.registry;
  const check = isOwnCheck(id) ? undefined : catalog.check(catalog.self, id);
  return check?.id === id ? check : undefined;
}

/**
 * A TTL check that is registered again is alive for another TTL, as in Consul, though nothing is committed. Checks
 * that are run keep their rhythm: Consul starts those anew too, and a client that registers often starves them.
 */
export function renewTtl(api: ApiContext, checks: readonly Check[]): void {
  api.checks.restart(
    checks.filter(({ definition }) => definition?.kind.kind === 'ttl').map((check) => check.id),
  );
}
