import { isIPv4, isIPv6 } from 'node:net';
import { fold } from './fold.ts';
import type { Change, Check, Instance, RegistryNode, Unindexed } from './model.ts';
import { isOwnCheck, isOwnInstance, REGISTRY_SERVICE, SERF_HEALTH } from './names.ts';
import type { CatalogReader } from './reader.ts';

/** What this process says of the node it runs on. */
export interface OwnNode {
  readonly name: string;
  /** Undefined: the one it has had before, or a new one. */
  readonly id?: string | undefined;
  readonly address: string;
  readonly datacenter: string;
  readonly meta: Readonly<Record<string, string>>;
}

/**
 * Puts this node in the catalog as a Consul server is in its own: its row, `serfHealth`, and the `consul`
 * service, all of which clients look for. In a store of its own, a node by another name that has all of this is
 * the same node before its name was changed: what was registered there moves over.
 *
 * Statuses of checks stay as they were last known until their first run. Consul turns those it runs itself
 * critical instead, which would empty every backend whenever a load balancer restarts.
 */
export function planOwnNode(
  reader: CatalogReader,
  own: OwnNode,
  options: { readonly shared: boolean; readonly newId: () => string },
): Change[] {
  const before = reader.node(own.name).value;
  const formers = options.shared ? [] : formerSelves(reader, own.name);
  const id = own.id ?? (before?.node.id || formers[0]?.id || options.newId());
  return [
    { op: 'put-node', node: nodeRow(own, id) },
    { op: 'put-service', service: registryInstance(own.name) },
    { op: 'put-check', check: serfHealth(own.name) },
    ...formers.flatMap((former) => moved(reader, former.node, own.name)),
  ];
}

function formerSelves(reader: CatalogReader, name: string): readonly RegistryNode[] {
  const isRegistry = ({ node }: RegistryNode) =>
    reader.instance(node, REGISTRY_SERVICE) && reader.check(node, SERF_HEALTH);
  return reader.nodes().value.filter((other) => fold(other.node) !== fold(name) && isRegistry(other));
}

/** What is registered under the present name already wins. */
function moved(reader: CatalogReader, from: string, to: string): Change[] {
  const services = reader.node(from).value?.instances ?? [];
  return [
    ...services
      .filter(({ id }) => !isOwnInstance(id) && !reader.instance(to, id))
      .map((service): Change => ({ op: 'put-service', service: { ...service, node: to } })),
    ...reader
      .nodeChecks(from)
      .value.filter(({ id }) => !isOwnCheck(id) && !reader.check(to, id))
      .map((check): Change => ({ op: 'put-check', check: { ...check, node: to } })),
    { op: 'delete-node', node: from },
  ];
}

function nodeRow(own: OwnNode, id: string): Unindexed<RegistryNode> {
  const { name: node, address, datacenter, meta } = own;
  return { id, node, address, datacenter, taggedAddresses: taggedAddresses(address), meta };
}

/** As Consul's agent tags its own address. */
function taggedAddresses(address: string): Readonly<Record<string, string>> {
  const tagged = { lan: address, wan: address };
  if (isIPv4(address)) return { ...tagged, lan_ipv4: address, wan_ipv4: address };
  if (isIPv6(address)) return { ...tagged, lan_ipv6: address, wan_ipv6: address };
  return tagged;
}

/** The port is that of Consul's server RPC, as clients know it; nothing listens there. */
function registryInstance(node: string): Unindexed<Instance> {
  return {
    node,
    id: REGISTRY_SERVICE,
    service: REGISTRY_SERVICE,
    tags: [],
    address: '',
    port: 8300,
    taggedAddresses: null,
    meta: null,
    weights: { passing: 1, warning: 1 },
    enableTagOverride: false,
    kind: '',
  };
}

function serfHealth(node: string): Unindexed<Check> {
  return {
    node,
    id: SERF_HEALTH,
    name: 'Serf Health Status',
    status: 'passing',
    notes: '',
    output: 'Agent alive and reachable',
    serviceId: '',
    serviceName: '',
    serviceTags: [],
    type: '',
    definition: undefined,
  };
}
