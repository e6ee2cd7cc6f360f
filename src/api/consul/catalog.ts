import type { Instance } from '../../registry/model.ts';
import { type Answer, json } from './answer.ts';
import { type ApiContext, indexed } from './context.ts';
import { catalogServiceJson, keyed, nodeJson, nodeServiceJson } from './encode.ts';
import { filterOf } from './filter.ts';
import { CATALOG_SERVICE, NODE, NODE_SERVICE } from './filter-shapes.ts';
import { matching, noneConnected, readable, required } from './health.ts';
import { nodeMetaMatcher } from './query.ts';
import { type Call, get, type Route } from './route.ts';

/** The reading half of https://developer.hashicorp.com/consul/api-docs/catalog */
export function catalogRoutes(api: ApiContext): readonly Route[] {
  const { catalog } = api.registry;
  return [
    { ...get('/v1/catalog/datacenters', () => json(datacenters(api))), open: true },
    get('/v1/catalog/services', (call) => services(api, call)),
    get('/v1/catalog/service/', (call) => {
      const service = required(call, 'Missing service name');
      const keep = filterOf(call.query.get('filter'), CATALOG_SERVICE);
      return indexed(
        api,
        call,
        { kind: 'catalog-service', service },
        () => ({ ...catalog.entries(service), index: catalog.indexOf({ kind: 'catalog-service', service }) }),
        (entries) => readable(call, matching(call, entries)).map(catalogServiceJson).filter(keep),
      );
    }),
    get('/v1/catalog/connect/', (call) => {
      const service = required(call, 'Missing service name');
      return noneConnected(api, call, { kind: 'catalog-service', service });
    }),
    get('/v1/catalog/nodes', (call) => nodes(api, call)),
    get('/v1/catalog/node/', (call) => node(api, call)),
    get('/v1/catalog/node-services/', (call) => nodeServices(api, call)),
  ];
}

/** The nearest first, as Consul has them. */
function datacenters(api: ApiContext): readonly string[] {
  return [api.registry.catalog.datacenter, ...(api.datacenters?.names ?? [])];
}

function nodes(api: ApiContext, call: Call): Promise<Answer> {
  const hasMeta = nodeMetaMatcher(call.query);
  const keep = filterOf(call.query.get('filter'), NODE);
  return indexed(
    api,
    call,
    { kind: 'nodes' },
    () => api.registry.catalog.nodes(),
    (all) =>
      (call.rights.reads ? all : [])
        .filter((each) => hasMeta?.(each.meta) ?? true)
        .map(nodeJson)
        .filter(keep),
  );
}

/** Consul ignores a filter here. */
function services(api: ApiContext, call: Call): Promise<Answer> {
  const { catalog } = api.registry;
  const hasMeta = nodeMetaMatcher(call.query);
  return indexed(
    api,
    call,
    { kind: 'services' },
    () => catalog.services(),
    (all) => {
      const { rights } = call;
      const listed = hasMeta ? tagsOf(instancesOn(api, hasMeta)) : all;
      return keyed(
        [...listed].filter(([name]) => rights.readsService(name)),
        ([name]) => name,
        ([, tags]) => tags,
      );
    },
  );
}

function instancesOn(
  api: ApiContext,
  hasMeta: (meta: Readonly<Record<string, string>> | null) => boolean,
): readonly Instance[] {
  const { catalog } = api.registry;
  return catalog
    .nodes()
    .value.filter((node) => hasMeta(node.meta))
    .flatMap((node) => catalog.node(node.node).value?.instances ?? []);
}

function tagsOf(instances: readonly Instance[]): Map<string, readonly string[]> {
  const tags = new Map<string, Set<string>>();
  for (const instance of instances) {
    const known = tags.get(instance.service) ?? new Set();
    for (const tag of instance.tags) known.add(tag);
    tags.set(instance.service, known);
  }
  return new Map([...tags].map(([name, distinct]) => [name, [...distinct]]));
}

function node(api: ApiContext, call: Call): Promise<Answer> {
  const name = required(call, 'Missing node name');
  const keep = filterOf(call.query.get('filter'), NODE_SERVICE);
  return indexed(
    api,
    call,
    { kind: 'node', node: name },
    () => api.registry.catalog.node(name),
    (found) =>
      found && call.rights.reads
        ? {
            Node: nodeJson(found.node),
            Services: keyed(kept(call, found.instances, keep), (instance) => instance.id, nodeServiceJson),
          }
        : null,
  );
}

/** An unknown node has null services, and so has a known one without any. */
function nodeServices(api: ApiContext, call: Call): Promise<Answer> {
  const name = required(call, 'Missing node name');
  const keep = filterOf(call.query.get('filter'), NODE_SERVICE);
  return indexed(
    api,
    call,
    { kind: 'node', node: name },
    () => api.registry.catalog.node(name),
    (found) => {
      if (!found || !call.rights.reads) return { Node: null, Services: null };
      const services = kept(call, found.instances, keep).map(nodeServiceJson);
      return { Node: nodeJson(found.node), Services: found.instances.length > 0 ? services : null };
    },
  );
}

function kept(
  { rights }: Call,
  instances: readonly Instance[],
  keep: (json: object) => boolean,
): readonly Instance[] {
  return instances.filter(
    (instance) => rights.readsService(instance.service) && keep(nodeServiceJson(instance)),
  );
}
