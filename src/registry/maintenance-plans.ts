import { VaneError } from '../core/errors.ts';
import type { Change, Check, Unindexed } from './model.ts';
import { isOwnInstance, NODE_MAINTENANCE, serviceMaintenance } from './names.ts';
import type { CatalogReader } from './reader.ts';

/**
 * https://developer.hashicorp.com/consul/api-docs/agent/service#enable-maintenance-mode: a critical check that
 * goes again when maintenance ends. Enabled twice, the first reason stands.
 */
export function planServiceMaintenance(
  reader: CatalogReader,
  id: string,
  enable: boolean,
  reason: string,
): Change[] {
  const instance = isOwnInstance(id) ? undefined : reader.instance(reader.self, id);
  if (!instance) throw new VaneError('REGISTRY_NOT_FOUND', `No service registered with ID "${id}"`);
  return planMaintenance(reader, enable, {
    ...MAINTENANCE,
    node: reader.self,
    id: serviceMaintenance(instance.id),
    name: 'Service Maintenance Mode',
    notes: reason || unexplained('service'),
    serviceId: instance.id,
    serviceName: instance.service,
    serviceTags: instance.tags,
  });
}

/** https://developer.hashicorp.com/consul/api-docs/agent#enable-maintenance-mode: counts for all on the node. */
export function planNodeMaintenance(reader: CatalogReader, enable: boolean, reason: string): Change[] {
  return planMaintenance(reader, enable, {
    ...MAINTENANCE,
    node: reader.self,
    id: NODE_MAINTENANCE,
    name: 'Node Maintenance Mode',
    notes: reason || unexplained('node'),
    serviceId: '',
    serviceName: '',
    serviceTags: [],
  });
}

const MAINTENANCE = { status: 'critical', output: '', type: 'maintenance', definition: undefined } as const;

function planMaintenance(reader: CatalogReader, enable: boolean, check: Unindexed<Check>): Change[] {
  const on = reader.check(check.node, check.id) !== undefined;
  if (on === enable) return [];
  return [enable ? { op: 'put-check', check } : { op: 'delete-check', node: check.node, id: check.id }];
}

/** Consul's words. */
function unexplained(what: 'service' | 'node'): string {
  return `Maintenance mode is enabled for this ${what}, but no reason was provided. This is a default message.`;
}
