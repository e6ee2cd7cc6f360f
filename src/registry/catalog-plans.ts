import { VaneError } from '../core/errors.ts';
import type { ServiceRequest } from './commands.ts';
import { fold } from './fold.ts';
import type { Change, Check, Instance, RegistryNode, Unindexed } from './model.ts';
import {
  isOwnCheck,
  isOwnInstance,
  requireForeignCheck,
  requireForeignInstance,
  requireName,
} from './names.ts';
import type { CatalogReader } from './reader.ts';
import { instanceRow, othersFollow } from './service-plans.ts';

export interface CatalogRegistration {
  readonly node: Unindexed<RegistryNode> & { readonly skipUpdate: boolean };
  readonly service: ServiceRequest | undefined;
  readonly checks: readonly Omit<Unindexed<Check>, 'node'>[];
}

/**
 * Consul's catalog/register: https://developer.hashicorp.com/consul/api-docs/catalog. What it says of this
 * process's own node is passed over, as only the process knows its address; services and checks it puts there
 * stay, where Consul's agent would take them away again at its next sync.
 */
export function planCatalogRegistration(reader: CatalogReader, request: CatalogRegistration): Change[] {
  const name = request.node.node;
  requireName('node name', name);
  const own = isSelf(reader, name);
  const changes = own ? [] : planNode(reader, request.node);
  const node = own ? reader.self : name;
  const instance = request.service && plannedInstance(own, node, request.service);
  if (instance) changes.push({ op: 'put-service', service: instance });
  const checks = new Map<string, Change>();
  for (const check of request.checks) {
    requireName('check ID', check.id);
    if (own) requireForeignCheck(check.id);
    checks.set(fold(check.id), { op: 'put-check', check: toldCheck(reader, node, check, instance) });
  }
  const others = instance ? reader.instanceChecks(node, instance.id) : [];
  return [
    ...changes,
    ...checks.values(),
    ...(instance
      ? othersFollow(
          others.filter((check) => !checks.has(fold(check.id))),
          instance,
        )
      : []),
  ];
}

/** Consul's catalog/deregister. This process's own node stays, with the registry's own rows, as it is still there. */
export function planCatalogDeregistration(
  reader: CatalogReader,
  request: {
    readonly node: string;
    readonly serviceId: string | undefined;
    readonly checkId: string | undefined;
  },
): Change[] {
  const found = reader.node(request.node).value;
  if (!found) return [];
  const { node } = found.node;
  const own = isSelf(reader, node);
  const { serviceId, checkId } = request;
  if (serviceId !== undefined) {
    const known = reader.instance(node, serviceId) && !(own && isOwnInstance(serviceId));
    return known ? [{ op: 'delete-service', node, id: serviceId }] : [];
  }
  if (checkId !== undefined) {
    const known = reader.check(node, checkId) && !(own && isOwnCheck(checkId));
    return known ? [{ op: 'delete-check', node, id: checkId }] : [];
  }
  if (!own) return [{ op: 'delete-node', node }];
  return [
    ...found.instances
      .filter(({ id }) => !isOwnInstance(id))
      .map(({ id }): Change => ({ op: 'delete-service', node, id })),
    ...reader
      .nodeChecks(node)
      .value.filter(({ id, serviceId }) => serviceId === '' && !isOwnCheck(id))
      .map(({ id }): Change => ({ op: 'delete-check', node, id })),
  ];
}

/** The nodes that a registration reads or writes. */
export function nodesTouchedBy(reader: CatalogReader, { node }: CatalogRegistration): string[] {
  const former = formerName(reader, node);
  return former === undefined ? [node.node] : [node.node, former];
}

/** `skipUpdate` leaves a node alone that is there. A known node id under another name renames the node. */
function planNode(reader: CatalogReader, request: CatalogRegistration['node']): Change[] {
  const { id, node, address, datacenter, taggedAddresses, meta } = request;
  if (request.skipUpdate && reader.node(node).value) return [];
  const former = formerName(reader, request);
  if (former !== undefined && isSelf(reader, former)) {
    throw new VaneError('REGISTRY_INVALID', `Node ID "${id}" is reserved by node "${former}"`);
  }
  return [
    ...(former === undefined ? [] : [{ op: 'delete-node' as const, node: former }]),
    { op: 'put-node', node: { id, node, address, datacenter, taggedAddresses, meta } },
  ];
}

function formerName(reader: CatalogReader, { id, node }: { id: string; node: string }): string | undefined {
  if (id === '' || reader.node(node).value?.node.id === id) return undefined;
  return reader.nodes().value.find((other) => other.id === id && fold(other.node) !== fold(node))?.node;
}

function plannedInstance(own: boolean, node: string, service: ServiceRequest): Unindexed<Instance> {
  requireName('service ID', service.id);
  requireName('service name', service.service);
  if (own) requireForeignInstance(service.id);
  return instanceRow(node, service);
}

/** A check as somebody else reports it; the name and tags of its service are the service's own. */
function toldCheck(
  reader: CatalogReader,
  node: string,
  check: Omit<Unindexed<Check>, 'node'>,
  registered: Unindexed<Instance> | undefined,
): Unindexed<Check> {
  const { id, name, status, notes, output, serviceId, type, definition, toldDefinition } = check;
  const row = { node, id, name, status, notes, output, type, definition, toldDefinition };
  if (serviceId === '') return { ...row, serviceId, serviceName: '', serviceTags: [] };
  const instance =
    registered && fold(registered.id) === fold(serviceId) ? registered : reader.instance(node, serviceId);
  if (!instance) {
    throw new VaneError(
      'REGISTRY_NOT_FOUND',
      `failed inserting check: Missing service registration on node "${node}"`,
    );
  }
  return { ...row, serviceId: instance.id, serviceName: instance.service, serviceTags: instance.tags };
}

function isSelf(reader: CatalogReader, node: string): boolean {
  return fold(node) === fold(reader.self);
}
