import { isDeepStrictEqual } from 'node:util';
import { nodesTouchedBy } from '../../registry/catalog-plans.ts';
import type { CheckRequest, RegistryCommands, ServiceRequest } from '../../registry/commands.ts';
import { fold } from '../../registry/fold.ts';
import type { Check, Instance } from '../../registry/model.ts';
import type { CatalogReader } from '../../registry/reader.ts';
import { checkIds } from '../../registry/service-plans.ts';
import { demand, type Rights } from './rights.ts';

/**
 * Who may write what, as Consul's agent and catalog vet it: whoever replaces something must have a right to what is
 * there as well as to what is to be. All throw the 403.
 */

export function readsCheck(rights: Rights, check: Pick<Check, 'serviceName'>): boolean {
  return check.serviceName === '' ? rights.reads : rights.readsService(check.serviceName);
}

export function vetInstance(rights: Rights, instance: Pick<Instance, 'service'> | undefined): void {
  if (instance) demand(rights.registersService(instance.service));
}

export function vetCheck(rights: Rights, check: Pick<Check, 'serviceName' | 'node'> | undefined): void {
  if (!check) return;
  const { serviceName, node } = check;
  demand(serviceName === '' ? rights.writesNode(node) : rights.registersService(serviceName));
}

/** What an agent is asked to register: an instance of its own node. */
export function vetRegistration(
  rights: Rights,
  catalog: CatalogReader,
  request: { service: ServiceRequest; checks: readonly CheckRequest[] },
): void {
  vetService(rights, catalog, catalog.self, request.service);
  for (const { id } of checkIds(request)) vetCheck(rights, catalog.check(catalog.self, id));
}

export function vetService(
  rights: Rights,
  catalog: CatalogReader,
  node: string,
  service: Pick<ServiceRequest, 'id' | 'service'>,
): void {
  vetInstance(rights, service);
  vetInstance(rights, catalog.instance(node, service.id));
}

/** A check that is to be on a node; `registered` comes with it. */
export function vetNewCheck(
  rights: Rights,
  catalog: CatalogReader,
  check: Pick<Check, 'node' | 'id' | 'serviceId'>,
  registered?: Pick<ServiceRequest, 'id' | 'service'>,
): void {
  const { node, id, serviceId } = check;
  vetCheck(rights, catalog.check(node, id));
  if (serviceId === '') demand(rights.writesNode(node));
  else if (fold(registered?.id ?? '') !== fold(serviceId)) {
    vetInstance(rights, catalog.instance(node, serviceId));
  }
}

export function vetCatalogRegistration(
  rights: Rights,
  catalog: CatalogReader,
  request: Parameters<RegistryCommands['catalogRegister']>[0],
): void {
  const { node } = request.node;
  if (changesNode(catalog, request.node)) {
    for (const name of nodesTouchedBy(catalog, request)) demand(rights.writesNode(name));
  }
  if (request.service) vetService(rights, catalog, node, request.service);
  for (const check of request.checks) vetNewCheck(rights, catalog, { ...check, node }, request.service);
}

/** The registry's own node stays as it is, whatever is said of it. */
function changesNode(
  catalog: CatalogReader,
  { skipUpdate, ...asked }: Parameters<RegistryCommands['catalogRegister']>[0]['node'],
): boolean {
  if (fold(asked.node) === fold(catalog.self)) return false;
  const known = catalog.node(asked.node).value?.node;
  if (!known || skipUpdate) return !known;
  const { createIndex, modifyIndex, ...row } = known;
  // Clones have the prototypes of plain objects, whoever made the rows.
  return !isDeepStrictEqual(structuredClone(row), structuredClone(asked));
}

export function vetCatalogDeregistration(
  rights: Rights,
  catalog: CatalogReader,
  { node, serviceId, checkId }: { node: string; serviceId: string | undefined; checkId: string | undefined },
): void {
  if (serviceId !== undefined) vetInstance(rights, catalog.instance(node, serviceId));
  else if (checkId !== undefined) vetCheck(rights, catalog.check(node, checkId));
  else demand(rights.writesNode(node));
}
