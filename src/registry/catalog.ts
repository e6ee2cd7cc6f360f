import type { Cancel } from '../core/clock.ts';
import { CheckWatchers } from './check-watchers.ts';
import { isAsExpected } from './expectations.ts';
import { fold } from './fold.ts';
import { KvIndex, keyTopic, prefixTopic } from './kv-index.ts';
import type { Check, Committed, Instance, RegistryNode, StoreSnapshot } from './model.ts';
import { QUERIES, QueryIndex } from './query-index.ts';
import type { AtIndex, CatalogReader, Query } from './reader.ts';
import { ServiceIndex } from './service-index.ts';
import { nodeSessionsTopic, SESSIONS, SessionIndex, sessionTopic } from './session-index.ts';
import { SortedMap } from './sorted-map.ts';
import { type Effect, type NodeRows, Tables } from './tables.ts';
import { Topics } from './topics.ts';

const NO_CHECKS: readonly Check[] = [];

/**
 * The registry as this process knows it: a fold over committed changes, with Consul 1.9's indexes.
 *
 * A query has an index it reports and a topic it is woken by, and the two are not the same thing. The topic
 * fires when something asked about has changed, and then the reported index has always risen. The reported
 * index may rise without it, because several queries share one:
 *
 * | query           | reports                                | is woken by                                      |
 * |-----------------|----------------------------------------|--------------------------------------------------|
 * | health-service  | the service's index                    | every rise of it                                 |
 * | catalog-service | the service's index                    | its instances and their nodes, but not checks    |
 * | services        | the services table                     | the services table                               |
 * | nodes           | the nodes table                        | the nodes table                                  |
 * | node            | the later of nodes and services tables | the node and its instances                       |
 * | health-node     | the checks table                       | checks on the node                               |
 * | health-checks   | the checks table                       | checks of the service                            |
 * | health-state    | the checks table                       | the checks table                                 |
 * | kv              | the key's index                        | the key                                          |
 * | kv-tree         | the prefix's index                     | keys under the prefix                            |
 * | session(s), ... | the sessions table                     | the session, those of the node, all sessions     |
 * | queries         | the prepared queries                   | the prepared queries                             |
 *
 * A service's index rises with its instances, their checks, the checks of their nodes and the nodes themselves.
 * Without instances it is the index at which a service last lost its last instance; an unknown node has likewise
 * that of the last node that went. So `changed` answers at once when the reported index is past the one given
 * (as Consul, which reads before it waits), and otherwise sleeps through what only raises the shared index.
 */
export class Catalog implements CatalogReader {
  readonly self: string;
  readonly datacenter: string;
  readonly kv: KvIndex;
  readonly sessions: SessionIndex;
  readonly queries: QueryIndex;
  readonly #topics: Topics;
  readonly #checkWatchers: CheckWatchers;
  readonly #tables = new Tables();
  #index = 1;
  #nodesIndex = 1;
  #servicesIndex = 1;
  #checksIndex = 1;
  #nodeExtinction = 1;
  #services = new ServiceIndex(1);
  /** By folded service name; each by node, then check id. */
  #serviceChecks = new Map<string, SortedMap<Check>>();
  #nodeRows: readonly RegistryNode[] | undefined;
  #serviceTags: ReadonlyMap<string, readonly string[]> | undefined;
  #checksByStatus: ReadonlyMap<string, readonly Check[]> | undefined;

  /** `onListenerError` hears what listeners throw. */
  constructor(options: {
    readonly self: string;
    readonly datacenter: string;
    readonly onListenerError: (error: unknown) => void;
  }) {
    this.self = options.self;
    this.datacenter = options.datacenter;
    this.#topics = new Topics(options.onListenerError);
    this.#checkWatchers = new CheckWatchers(options.onListenerError);
    this.kv = new KvIndex(this.#tables.kv);
    this.sessions = new SessionIndex(this.#tables.sessions);
    this.queries = new QueryIndex(this.#tables.queries);
  }

  get index(): number {
    return this.#index;
  }

  /** Rows of all kinds. */
  get size(): number {
    return this.#tables.size;
  }

  /** Queries that someone waits for or watches. */
  get awaited(): number {
    return this.#topics.size;
  }

  entries(service: string) {
    return this.#services.entries(service);
  }

  services(): AtIndex<ReadonlyMap<string, readonly string[]>> {
    this.#serviceTags ??= this.#services.tags();
    return { index: this.#servicesIndex, value: this.#serviceTags };
  }

  nodes(): AtIndex<readonly RegistryNode[]> {
    this.#nodeRows ??= this.#tables.nodes().map((rows) => rows.node);
    return { index: this.#nodesIndex, value: this.#nodeRows };
  }

  node(name: string) {
    const rows = this.#tables.node(name);
    const value = rows && { node: rows.node, instances: rows.instances.values() };
    return { index: this.indexOf({ kind: 'node', node: name }), value };
  }

  nodeChecks(node: string): AtIndex<readonly Check[]> {
    return { index: this.#checksIndex, value: this.#tables.node(node)?.checks.values() ?? NO_CHECKS };
  }

  serviceChecks(service: string): AtIndex<readonly Check[]> {
    return {
      index: this.#checksIndex,
      value: this.#serviceChecks.get(fold(service))?.values() ?? NO_CHECKS,
    };
  }

  checksInState(status: string): AtIndex<readonly Check[]> {
    this.#checksByStatus ??= byStatus(this.#tables.nodes().flatMap((rows) => rows.checks.values()));
    return { index: this.#checksIndex, value: this.#checksByStatus.get(status) ?? NO_CHECKS };
  }

  instance(node: string, id: string): Instance | undefined {
    return this.#tables.node(node)?.instances.get(fold(id));
  }

  check(node: string, id: string): Check | undefined {
    return this.#tables.node(node)?.checks.get(fold(id));
  }

  instanceChecks(node: string, id: string): readonly Check[] {
    if (id === '') return NO_CHECKS;
    return this.#tables.node(node)?.checksOf.get(fold(id))?.values() ?? NO_CHECKS;
  }

  indexOf(query: Query): number {
    switch (query.kind) {
      case 'health-service':
      case 'catalog-service':
        return this.#services.indexOf(query.service);
      case 'services':
        return this.#servicesIndex;
      case 'nodes':
        return this.#nodesIndex;
      case 'node':
        return this.#tables.node(query.node)
          ? Math.max(this.#nodesIndex, this.#servicesIndex)
          : this.#nodeExtinction;
      case 'health-node':
      case 'health-checks':
      case 'health-state':
        return this.#checksIndex;
      case 'kv':
        return this.kv.indexOfKey(query.key);
      case 'kv-tree':
        return this.kv.indexUnder(query.prefix);
      case 'session':
      case 'node-sessions':
      case 'sessions':
        return this.sessions.index;
      case 'queries':
        return this.queries.index;
    }
  }

  watch(query: Query, fn: () => void): Cancel {
    const cancel = this.#topics.on(topicOf(query), fn);
    if (query.kind !== 'kv-tree') return cancel;
    const unmind = this.kv.mind(query.prefix);
    return () => {
      unmind();
      cancel();
    };
  }

  watchChecks(node: string, fn: (ids: ReadonlySet<string> | undefined) => void): Cancel {
    return this.#checkWatchers.on(node, fn);
  }

  /**
   * Takes in one commit and then tells those it concerns, each once. A commit at or below the present index
   * is one that is known already, and does nothing. Returns what it did to the rows.
   */
  apply(committed: Committed): readonly Effect[] {
    const { index, changes, expects = [] } = committed;
    if (index <= this.#index) return [];
    if (!isAsExpected(this, expects)) {
      this.#index = index;
      return [];
    }
    const touched = new Set<string>();
    const effects: Effect[] = [];
    for (const change of changes) {
      for (const effect of this.#tables.apply(change, index)) {
        this.#reflect(effect, index, touched);
        effects.push(effect);
      }
    }
    this.#index = index;
    this.#topics.emit(touched);
    this.#checkWatchers.tell(effects);
    return effects;
  }

  /**
   * Replaces everything and tells everyone. Every index is then that of the snapshot: what was deleted before it
   * left no row to tell by, and a client that comes back with an index from earlier must not miss it.
   */
  reset(snapshot: StoreSnapshot): void {
    const floor = Math.max(1, snapshot.index);
    this.#tables.restore(snapshot);
    this.#services = new ServiceIndex(floor);
    this.#serviceChecks = new Map();
    this.#nodeRows = undefined;
    this.#serviceTags = undefined;
    this.#checksByStatus = undefined;
    for (const rows of this.#tables.nodes()) {
      for (const instance of rows.instances.values()) this.#services.put(rows, instance, floor);
      for (const check of rows.checks.values()) this.#linkCheck(check);
    }
    this.#index = floor;
    this.#nodesIndex = floor;
    this.#servicesIndex = floor;
    this.#checksIndex = floor;
    this.#nodeExtinction = floor;
    this.kv.reset(floor);
    this.sessions.reset(floor);
    this.queries.reset(floor);
    this.#topics.emitAll();
    this.#checkWatchers.tellAll();
  }

  #reflect(effect: Effect, index: number, touched: Set<string>): void {
    switch (effect.table) {
      case 'node': {
        const { rows, after } = effect;
        this.#nodesIndex = index;
        this.#nodeRows = undefined;
        touched.add(NODES).add(topic('node', rows.node.node));
        if (!after) this.#nodeExtinction = index;
        for (const instance of rows.instances.values()) {
          this.#touchInstance(instance, index, touched);
          touched.add(topic('catalog-service', instance.service));
        }
        return;
      }
      case 'service': {
        const { rows, before, after } = effect;
        this.#servicesIndex = index;
        this.#serviceTags = undefined;
        touched.add(SERVICES).add(topic('node', rows.node.node));
        if (before && (!after || fold(before.service) !== fold(after.service))) {
          this.#services.remove(before, index);
        }
        if (after) this.#services.put(rows, after, index);
        for (const { service } of present(before, after)) {
          touched.add(topic('health-service', service)).add(topic('catalog-service', service));
        }
        return;
      }
      case 'check': {
        const { rows, before, after } = effect;
        this.#checksIndex = index;
        this.#checksByStatus = undefined;
        touched.add(STATES).add(topic('health-node', rows.node.node));
        if (before) this.#unlinkCheck(before);
        if (after) this.#linkCheck(after);
        for (const check of present(before, after)) {
          if (check.serviceName !== '') touched.add(topic('health-checks', check.serviceName));
          for (const instance of concernedBy(check, rows)) this.#touchInstance(instance, index, touched);
        }
        return;
      }
      case 'session':
        this.sessions.reflect(effect, index, touched);
        return;
      case 'kv':
        this.kv.reflect(effect, index, touched);
        return;
      case 'query':
        this.queries.reflect(index, touched);
    }
  }

  #touchInstance(instance: Instance, index: number, touched: Set<string>): void {
    this.#services.touch(instance, index);
    touched.add(topic('health-service', instance.service));
  }

  #linkCheck(check: Check): void {
    if (check.serviceName === '') return;
    const key = fold(check.serviceName);
    const checks = this.#serviceChecks.get(key) ?? new SortedMap<Check>();
    checks.set(checkKey(check), check);
    this.#serviceChecks.set(key, checks);
  }

  #unlinkCheck(check: Check): void {
    const key = fold(check.serviceName);
    const checks = this.#serviceChecks.get(key);
    checks?.delete(checkKey(check));
    if (checks?.size === 0) this.#serviceChecks.delete(key);
  }
}

/** The instances a check counts for; one that goes together with its check is told of on its own. */
function concernedBy(check: Check, rows: NodeRows): readonly Instance[] {
  if (check.serviceId === '') return rows.instances.values();
  const instance = rows.instances.get(fold(check.serviceId));
  return instance ? [instance] : [];
}

function present<T>(...rows: readonly (T | undefined)[]): T[] {
  return rows.filter((row) => row !== undefined);
}

function byStatus(all: readonly Check[]): ReadonlyMap<string, readonly Check[]> {
  const groups = new Map<string, Check[]>();
  for (const check of all) {
    const group = groups.get(check.status);
    if (group) group.push(check);
    else groups.set(check.status, [check]);
  }
  return new Map<string, readonly Check[]>([...groups, ['any', all]]);
}

function checkKey(check: Check): string {
  return `${fold(check.node)}\0${fold(check.id)}`;
}

type NamedKind = 'health-service' | 'catalog-service' | 'node' | 'health-node' | 'health-checks';

function topic(kind: NamedKind, name: string): string {
  return `${kind}:${fold(name)}`;
}

const SERVICES = 'services';
const NODES = 'nodes';
const STATES = 'health-state';

function topicOf(query: Query): string {
  switch (query.kind) {
    case 'services':
    case 'nodes':
    case 'health-state':
      return query.kind;
    case 'node':
    case 'health-node':
      return topic(query.kind, query.node);
    case 'kv':
      return keyTopic(query.key);
    case 'kv-tree':
      return prefixTopic(query.prefix);
    case 'session':
      return sessionTopic(query.id);
    case 'node-sessions':
      return nodeSessionsTopic(query.node);
    case 'sessions':
      return SESSIONS;
    case 'queries':
      return QUERIES;
    default:
      return topic(query.kind, query.service);
  }
}
