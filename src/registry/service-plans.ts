import { plannedCheck } from './check-plans.ts';
import type { CheckRequest, ServiceRequest } from './commands.ts';
import { fold } from './fold.ts';
import type { Change, Check, Instance, Unindexed } from './model.ts';
import { isOwnInstance, requireForeignCheck, requireForeignInstance, requireName } from './names.ts';
import type { CatalogReader } from './reader.ts';

export interface ServiceRegistration {
  readonly service: ServiceRequest;
  readonly checks: readonly CheckRequest[];
  readonly replaceChecks: boolean;
}

/**
 * Consul's agent/service/register: https://developer.hashicorp.com/consul/api-docs/agent/service. A maintenance
 * check stays even with `replaceChecks`: a client that registers anew does not overrule the operator.
 */
export function planServiceRegistration(reader: CatalogReader, request: ServiceRegistration): Change[] {
  const { service } = request;
  requireName('service ID', service.id);
  requireName('service name', service.service);
  requireForeignInstance(service.id);
  const instance = instanceRow(reader.self, service);
  const wanted = new Map<string, Unindexed<Check>>();
  for (const check of checkIds(request)) {
    requireName('check ID', check.id);
    requireForeignCheck(check.id);
    const name = check.request.name || `Service '${service.service}' check`;
    const known = reader.check(reader.self, check.id);
    const named = { ...check.request, id: check.id, name };
    wanted.set(fold(check.id), plannedCheck(reader.self, named, instance, known));
  }
  const others = reader
    .instanceChecks(reader.self, service.id)
    .filter((check) => !wanted.has(fold(check.id)));
  const stay = (check: Check) => !request.replaceChecks || check.type === 'maintenance';
  return [
    { op: 'put-service', service: instance },
    ...[...wanted.values()].map((check): Change => ({ op: 'put-check', check })),
    ...othersFollow(others.filter(stay), instance),
    ...others
      .filter((check) => !stay(check))
      .map(({ node, id }): Change => ({ op: 'delete-check', node, id })),
  ];
}

/** Empty when there is no such instance. */
export function planServiceDeregistration(reader: CatalogReader, id: string): Change[] {
  const instance = reader.instance(reader.self, id);
  if (!instance || isOwnInstance(id)) return [];
  return [{ op: 'delete-service', node: instance.node, id: instance.id }];
}

/** The check ids that a registration reads or writes. */
export function checksTouchedBy(reader: CatalogReader, request: ServiceRegistration): string[] {
  return [...checksOf(reader, request.service.id), ...checkIds(request).map((check) => check.id)];
}

/** The checks of an instance on this node. */
export function checksOf(reader: CatalogReader, id: string): string[] {
  return reader.instanceChecks(reader.self, id).map((check) => check.id);
}

/** Checks carry the id, name and tags of their instance, and so change when those do. */
export function othersFollow(checks: readonly Check[], instance: Unindexed<Instance>): Change[] {
  return checks.map((check) => ({
    op: 'put-check',
    check: { ...check, serviceId: instance.id, serviceName: instance.service, serviceTags: instance.tags },
  }));
}

/** Field by field, so that nothing else a caller's object has gets stored. */
export function instanceRow(node: string, service: ServiceRequest): Unindexed<Instance> {
  return {
    node,
    id: service.id,
    service: service.service,
    tags: service.tags,
    address: service.address,
    port: service.port,
    taggedAddresses: service.taggedAddresses,
    meta: service.meta,
    weights: service.weights,
    enableTagOverride: service.enableTagOverride,
    kind: service.kind,
    file: service.file,
  };
}

/**
 * Consul's default ids: `service:<id>` for an only check, else `service:<id>:<n>` with n counting all checks from 1.
 */
export function checkIds({
  service,
  checks,
}: Pick<ServiceRegistration, 'service' | 'checks'>): { id: string; request: CheckRequest }[] {
  const only = checks.length === 1;
  return checks.map((request, i) => ({
    id: request.id || (only ? `service:${service.id}` : `service:${service.id}:${i + 1}`),
    request,
  }));
}
