import { Catalog } from '../../src/registry/catalog.ts';
import type { CheckRequest, ServiceRequest } from '../../src/registry/commands.ts';
import type {
  Cause,
  Change,
  Check,
  Instance,
  KvEntry,
  RegistryNode,
  Session,
  Unindexed,
} from '../../src/registry/model.ts';
import type { SessionRequest } from '../../src/registry/sessions.ts';

export const CAUSE: Cause = { by: 'test', what: 'test' };

export function nodeRow(name: string, more: Partial<RegistryNode> = {}): Unindexed<RegistryNode> {
  const row = { id: '', node: name, address: '10.0.0.1', datacenter: 'dc1', taggedAddresses: null };
  return { ...row, meta: null, ...more };
}

export function serviceRequest(
  id: string,
  service = id,
  more: Partial<Unindexed<Instance>> = {},
): ServiceRequest {
  return {
    id,
    service,
    tags: [],
    address: '',
    port: 80,
    taggedAddresses: null,
    meta: null,
    weights: { passing: 1, warning: 1 },
    enableTagOverride: false,
    kind: '',
    ...more,
  };
}

export function instanceRow(
  node: string,
  id: string,
  service = id,
  more: Partial<Instance> = {},
): Unindexed<Instance> {
  return { node, ...serviceRequest(id, service, more) };
}

/** A check of `instance`, or without one of the node. */
export function checkRow(
  node: string,
  id: string,
  instance?: { readonly id: string; readonly service: string; readonly tags?: readonly string[] },
  more: Partial<Check> = {},
): Unindexed<Check> {
  return {
    node,
    id,
    name: id,
    status: 'passing',
    notes: '',
    output: '',
    serviceId: instance?.id ?? '',
    serviceName: instance?.service ?? '',
    serviceTags: instance?.tags ?? [],
    type: '',
    definition: undefined,
    ...more,
  };
}

export function checkRequest(id: string | undefined, more: Partial<CheckRequest> = {}): CheckRequest {
  return { id, name: undefined, notes: '', status: undefined, type: '', definition: undefined, ...more };
}

export const putNode = (...args: Parameters<typeof nodeRow>): Change => ({
  op: 'put-node',
  node: nodeRow(...args),
});

export const putService = (...args: Parameters<typeof instanceRow>): Change => ({
  op: 'put-service',
  service: instanceRow(...args),
});

export const putCheck = (...args: Parameters<typeof checkRow>): Change => ({
  op: 'put-check',
  check: checkRow(...args),
});

export const deleteNode = (node: string): Change => ({ op: 'delete-node', node });
export const deleteService = (node: string, id: string): Change => ({ op: 'delete-service', node, id });
export const deleteCheck = (node: string, id: string): Change => ({ op: 'delete-check', node, id });

/** A key with a text for its value. */
export const putKv = (key: string, value: string, more: Partial<KvEntry> = {}): Change => ({
  op: 'put-kv',
  entry: { key, value: Buffer.from(value), flags: '0', lockIndex: 0, session: '', ...more },
});

export const deleteKv = (key: string): Change => ({ op: 'delete-kv', key });
export const deleteKvTree = (prefix: string): Change => ({ op: 'delete-kv-tree', prefix });

export function sessionRequest(node: string, more: Partial<SessionRequest> = {}): SessionRequest {
  return {
    name: '',
    node,
    lockDelay: 0,
    behavior: 'release',
    ttl: '',
    ttlMs: 0,
    nodeChecks: null,
    serviceChecks: null,
    checks: null,
    ...more,
  };
}

export const putSession = (id: string, node: string, more: Partial<Unindexed<Session>> = {}): Change => ({
  op: 'put-session',
  session: { ...sessionRequest(node), id, ...more },
});

export const deleteSession = (id: string): Change => ({ op: 'delete-session', id });

/** A catalog that takes commits one after the other. */
export function committing(start = 10) {
  const errors: unknown[] = [];
  const catalog = new Catalog({
    self: 'n1',
    datacenter: 'dc1',
    onListenerError: (error) => errors.push(error),
  });
  catalog.reset({ index: start, nodes: [], services: [], checks: [], sessions: [], kv: [], queries: [] });
  const commit = (...changes: Change[]): number => {
    const index = catalog.index + 1;
    catalog.apply({ index, changes, cause: CAUSE });
    return index;
  };
  return { catalog, commit, errors };
}
