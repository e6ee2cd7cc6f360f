import { VaneError } from '../core/errors.ts';
import { fold } from './fold.ts';

/** Consul's check of a node's liveness; here it says that this process runs. */
export const SERF_HEALTH = 'serfHealth';

/** The service, and the id of its instance, under which every registry lists itself. */
export const REGISTRY_SERVICE = 'consul';

export const NODE_MAINTENANCE = '_node_maintenance';

export function serviceMaintenance(id: string): string {
  return `_service_maintenance:${id}`;
}

/** Throws REGISTRY_INVALID for a name that could not be told apart from others, `what` being its kind. */
export function requireName(what: string, name: string): void {
  if (name === '') throw new VaneError('REGISTRY_INVALID', `Missing ${what}`);
  if (name.includes('\0'))
    throw new VaneError('REGISTRY_INVALID', `Invalid ${what}: contains a NUL character`);
}

/** Instances and checks that the registry keeps on its own node by itself, out of everybody's reach. */
export function isOwnInstance(id: string): boolean {
  return fold(id) === REGISTRY_SERVICE;
}

export function isOwnCheck(id: string): boolean {
  return fold(id) === fold(SERF_HEALTH);
}

export function requireForeignInstance(id: string): void {
  if (!isOwnInstance(id)) return;
  throw new VaneError('REGISTRY_INVALID', `The service ID "${id}" is the registry's own on this node`);
}

export function requireForeignCheck(id: string): void {
  if (!isOwnCheck(id)) return;
  throw new VaneError('REGISTRY_INVALID', `The check ID "${id}" is the registry's own on this node`);
}
