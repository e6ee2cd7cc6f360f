import { VaneError } from '../core/errors.ts';
import type { CheckRequest } from './commands.ts';
import type { Change, Check, CheckStatus, Instance, PutCheck, Unindexed } from './model.ts';
import { isOwnCheck, isOwnInstance, requireForeignCheck, requireName } from './names.ts';
import type { CatalogReader } from './reader.ts';

/** Consul's agent/check/register: https://developer.hashicorp.com/consul/api-docs/agent/check. */
export function planCheckRegistration(
  reader: CatalogReader,
  request: CheckRequest & { readonly serviceId: string },
): Change[] {
  const id = checkIdOf(request);
  requireName('check ID', id);
  requireForeignCheck(id);
  const instance = request.serviceId === '' ? undefined : ownInstance(reader, request.serviceId);
  const known = reader.check(reader.self, id);
  const named = { ...request, id, name: request.name || id };
  return [{ op: 'put-check', check: plannedCheck(reader.self, named, instance, known) }];
}

/** Consul: the id is the name unless given. */
export function checkIdOf(request: CheckRequest): string {
  return request.id || request.name || '';
}

/** Empty when there is no such check. */
export function planCheckDeregistration(reader: CatalogReader, id: string): Change[] {
  const check = reader.check(reader.self, id);
  if (!check || isOwnCheck(id)) return [];
  return [{ op: 'delete-check', node: check.node, id: check.id }];
}

/** Throws REGISTRY_NOT_FOUND: the check may have been deregistered while it ran. */
export function planCheckReport(
  reader: CatalogReader,
  id: string,
  status: CheckStatus,
  output: string,
): PutCheck[] {
  return [{ op: 'put-check', check: { ...requireCheck(reader, id), status, output } }];
}

export function requireCheck(reader: CatalogReader, id: string): Check {
  const check = reader.check(reader.self, id);
  if (check && !isOwnCheck(id)) return check;
  throw new VaneError('REGISTRY_NOT_FOUND', `CheckID "${id}" does not exist`);
}

/**
 * The row of a check that is asked for; without an instance it is the node's own. What a check has found so far
 * is kept when it is registered again, whatever status comes with the request.
 */
export function plannedCheck(
  node: string,
  request: CheckRequest & { readonly id: string; readonly name: string },
  instance: Unindexed<Instance> | undefined,
  known: Check | undefined,
): Unindexed<Check> {
  return {
    node,
    id: request.id,
    name: request.name,
    status: known?.status ?? request.status ?? 'critical',
    notes: request.notes,
    output: known?.output ?? '',
    serviceId: instance?.id ?? '',
    serviceName: instance?.service ?? '',
    serviceTags: instance?.tags ?? [],
    type: request.type,
    definition: request.definition,
    file: request.file,
  };
}

function ownInstance(reader: CatalogReader, id: string): Instance {
  const instance = isOwnInstance(id) ? undefined : reader.instance(reader.self, id);
  if (instance) return instance;
  throw new VaneError('REGISTRY_NOT_FOUND', `ServiceID "${id}" does not exist`);
}
