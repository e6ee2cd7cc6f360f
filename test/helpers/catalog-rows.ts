import type { Check, CheckStatus, Instance, RegistryNode } from '../../src/registry/model.ts';
import type { AtIndex, CatalogReader, ServiceEntry } from '../../src/registry/reader.ts';

type Meta = Readonly<Record<string, string>>;

/** One row of a catalog; what is left out is Consul's default. */
export interface Row {
  readonly node?: string;
  readonly nodeAddress?: string;
  readonly nodeMeta?: Meta;
  readonly service?: string;
  readonly id?: string;
  readonly address?: string;
  readonly port?: number;
  readonly tags?: readonly string[];
  readonly weights?: { readonly passing: number; readonly warning: number };
  readonly checks?: readonly CheckStatus[];
}

const INDEXES = { createIndex: 1, modifyIndex: 1 };

/** The answers' view of a registry that holds these rows: what DNS reads, and nothing that changes. */
export function catalogOf(rows: readonly Row[]): CatalogReader {
  const nodes = new Map<string, RegistryNode>();
  const entries = new Map<string, ServiceEntry[]>();
  for (const row of [{ node: 'lb-1', nodeAddress: '10.0.0.1' }, ...rows]) addRow(row, nodes, entries);
  const at = <T>(value: T): AtIndex<T> => ({ index: 1, value });
  const unused = (): never => {
    throw new Error('DNS does not read this');
  };
  const none: readonly ServiceEntry[] = [];
  return {
    self: 'lb-1',
    datacenter: 'dc1',
    index: 1,
    entries: (service) => at(entries.get(service.toLowerCase()) ?? none),
    services: () => at(new Map([...entries.keys()].map((name) => [name, []]))),
    nodes: () => at([...nodes.values()]),
    node: (name) => {
      const node = nodes.get(name.toLowerCase());
      return at(node && { node, instances: [] });
    },
    nodeChecks: unused,
    serviceChecks: unused,
    checksInState: unused,
    instance: unused,
    check: unused,
    instanceChecks: unused,
    kv: { bytes: 0, entry: unused, under: unused, heldBy: unused },
    sessions: { get: unused, all: unused, ofNode: unused, naming: unused },
    queries: { all: unused, find: () => undefined },
    indexOf: () => 1,
    watch: unused,
    watchChecks: unused,
  };
}

function addRow(row: Row, nodes: Map<string, RegistryNode>, entries: Map<string, ServiceEntry[]>): void {
  const name = row.node ?? 'n1';
  const node = nodes.get(name.toLowerCase()) ?? {
    ...INDEXES,
    id: '',
    node: name,
    address: row.nodeAddress ?? '10.80.0.1',
    datacenter: 'dc1',
    taggedAddresses: null,
    meta: row.nodeMeta ?? null,
  };
  nodes.set(name.toLowerCase(), node);
  if (row.service === undefined) return;
  const siblings = entries.get(row.service.toLowerCase()) ?? [];
  const instance: Instance = {
    ...INDEXES,
    node: name,
    id: row.id ?? `${row.service}-${siblings.length}`,
    service: row.service,
    tags: row.tags ?? [],
    address: row.address ?? '',
    port: row.port ?? 80,
    taggedAddresses: null,
    meta: null,
    weights: row.weights ?? { passing: 1, warning: 1 },
    enableTagOverride: false,
    kind: '',
  };
  const checks = (row.checks ?? []).map((status, i) => check(instance, i, status));
  entries.set(row.service.toLowerCase(), [...siblings, { node, instance, checks }]);
}

function check(instance: Instance, i: number, status: CheckStatus): Check {
  return {
    ...INDEXES,
    node: instance.node,
    id: `check-${i}`,
    name: `check ${i}`,
    status,
    notes: '',
    output: '',
    serviceId: instance.id,
    serviceName: instance.service,
    serviceTags: instance.tags,
    type: '',
    definition: undefined,
  };
}
