import type { Check, Instance, RegistryNode, ServiceAddress } from '../../registry/model.ts';
import type { ServiceEntry } from '../../registry/reader.ts';
import { toldDefinitionJson } from './told-definition.ts';

/**
 * Consul's JSON shapes, in the order of its struct fields. What is optional there (`omitempty`) is left out here,
 * and `null`, `[]` and `{}` are told apart as Consul tells them apart.
 */

/** Go writes an empty mesh configuration for every instance. */
const NO_PROXY = { MeshGateway: {}, Expose: {} };

export function nodeJson(node: RegistryNode): object {
  return {
    ID: node.id,
    Node: node.node,
    Address: node.address,
    Datacenter: node.datacenter,
    TaggedAddresses: node.taggedAddresses,
    Meta: node.meta,
    CreateIndex: node.createIndex,
    ModifyIndex: node.modifyIndex,
  };
}

/** An instance as agent/services shows it; with a hash, as agent/service/:id does. */
export function agentServiceJson(instance: Instance, datacenter: string, contentHash?: string): object {
  return {
    ...kindJson('Kind', instance),
    ID: instance.id,
    Service: instance.service,
    Tags: instance.tags,
    Meta: instance.meta ?? {},
    Port: instance.port,
    Address: instance.address,
    ...taggedJson('TaggedAddresses', instance),
    Weights: weightsJson(instance),
    EnableTagOverride: instance.enableTagOverride,
    ...(contentHash === undefined ? {} : { ContentHash: contentHash }),
    Datacenter: datacenter,
  };
}

/** An instance inside a health or node answer. */
export function nodeServiceJson(instance: Instance): object {
  return {
    ...kindJson('Kind', instance),
    ID: instance.id,
    Service: instance.service,
    Tags: instance.tags,
    Address: instance.address,
    ...taggedJson('TaggedAddresses', instance),
    Meta: instance.meta,
    Port: instance.port,
    Weights: weightsJson(instance),
    EnableTagOverride: instance.enableTagOverride,
    Proxy: NO_PROXY,
    Connect: {},
    CreateIndex: instance.createIndex,
    ModifyIndex: instance.modifyIndex,
  };
}

/** An instance and its node in one flat object: catalog/service. */
export function catalogServiceJson({ node, instance }: ServiceEntry): object {
  return {
    ID: node.id,
    Node: node.node,
    Address: node.address,
    Datacenter: node.datacenter,
    TaggedAddresses: node.taggedAddresses,
    NodeMeta: node.meta,
    ServiceKind: instance.kind,
    ServiceID: instance.id,
    ServiceName: instance.service,
    ServiceTags: instance.tags,
    ServiceAddress: instance.address,
    ...taggedJson('ServiceTaggedAddresses', instance),
    ServiceWeights: weightsJson(instance),
    ServiceMeta: instance.meta ?? {},
    ServicePort: instance.port,
    ServiceEnableTagOverride: instance.enableTagOverride,
    ServiceProxy: NO_PROXY,
    ServiceConnect: {},
    CreateIndex: instance.createIndex,
    ModifyIndex: instance.modifyIndex,
  };
}

export function healthEntryJson(entry: ServiceEntry): object {
  return {
    Node: nodeJson(entry.node),
    Service: nodeServiceJson(entry.instance),
    Checks: entry.checks.map(checkJson),
  };
}

/** A check as the catalog knows it: health/*. */
export function checkJson(check: Check): object {
  return {
    ...checkHead(check, check.output),
    Type: check.type,
    Definition: toldDefinitionJson(check.toldDefinition),
    CreateIndex: check.createIndex,
    ModifyIndex: check.modifyIndex,
  };
}

/** A check as its own agent knows it: the freshest output, no indexes. */
export function agentCheckJson(check: Check, output: string): object {
  return { ...checkHead(check, output), Type: check.type, Definition: {}, CreateIndex: 0, ModifyIndex: 0 };
}

/** A check inside agent/health: without its type, with every field of an unset definition. */
export function agentHealthCheckJson(check: Check, output: string): object {
  return {
    ...checkHead(check, output),
    Type: '',
    Definition: UNSET_DEFINITION,
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}

const UNSET_DEFINITION = {
  Interval: '0s',
  Timeout: '0s',
  DeregisterCriticalServiceAfter: '0s',
  HTTP: '',
  Header: null,
  Method: '',
  Body: '',
  TLSSkipVerify: false,
  TCP: '',
};

function checkHead(check: Check, output: string): object {
  return {
    Node: check.node,
    CheckID: check.id,
    Name: check.name,
    Status: check.status,
    Notes: check.notes,
    Output: output,
    ServiceID: check.serviceId,
    ServiceName: check.serviceName,
    ServiceTags: check.serviceTags,
  };
}

/** An object keyed by names that users chose, in Go's order of map keys; `__proto__` is a name like any other. */
export function keyed<T>(items: readonly T[], key: (item: T) => string, json: (item: T) => unknown): object {
  const result: Record<string, unknown> = Object.create(null);
  const sorted = items.map((item) => [key(item), item] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, item] of sorted) result[name] = json(item);
  return result;
}

function kindJson(name: string, instance: Instance): object {
  return instance.kind === '' ? {} : { [name]: instance.kind };
}

function weightsJson(instance: Instance): object {
  return { Passing: instance.weights.passing, Warning: instance.weights.warning };
}

function taggedJson(name: string, instance: Instance): object {
  const tagged = Object.entries(instance.taggedAddresses ?? {});
  if (tagged.length === 0) return {};
  return {
    [name]: keyed(
      tagged,
      ([tag]) => tag,
      ([, address]) => addressJson(address),
    ),
  };
}

function addressJson(address: ServiceAddress): object {
  return { Address: address.address, Port: address.port };
}
