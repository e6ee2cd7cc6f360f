import { z } from 'zod';
import type { Check, Instance, PreparedQuery, RegistryNode } from '../../registry/model.ts';
import type { ServiceEntry } from '../../registry/reader.ts';
import { parseGoDuration } from '../consul/go-duration.ts';

// What another registry says is not trusted to be as it should: only what DNS answers are made of is read, and a field
// that is not of its kind counts as absent.

const text = z.string().catch('');
const number = z.number().catch(0);
const meta = z.record(z.string(), z.string()).nullable().catch(null);

const NODE = z.object({ ID: text, Node: z.string().min(1), Address: text, Datacenter: text, Meta: meta });

const ENTRY = z.object({
  Node: NODE,
  Service: z.object({
    ID: text,
    Service: text,
    Tags: z.array(z.string()).catch([]),
    Address: text,
    Port: number,
    Weights: z.object({ Passing: number, Warning: number }).catch({ Passing: 1, Warning: 1 }),
  }),
  Checks: z
    .array(z.object({ CheckID: text, Name: text, Status: text, ServiceID: text }))
    .catch([{ CheckID: '', Name: '', Status: 'critical', ServiceID: '' }]),
});

const ENTRIES = z.array(ENTRY);
const NODE_ANSWER = z.object({ Node: NODE }).nullable();
const QUERY_ANSWER = z.object({
  Service: text,
  Nodes: ENTRIES.nullable(),
  DNS: z.object({ TTL: text }).catch({ TTL: '' }),
});

/** What `health/service/…` answers. Throws for anything else. */
export function readEntries(body: Buffer): readonly ServiceEntry[] {
  return ENTRIES.parse(JSON.parse(body.toString())).map(entryOf);
}

/** What `catalog/node/…` answers; undefined: there is no such node. Throws for anything else. */
export function readNode(body: Buffer): RegistryNode | undefined {
  const answer = NODE_ANSWER.parse(JSON.parse(body.toString()));
  return answer ? nodeOf(answer.Node) : undefined;
}

/** What `query/…/execute` answers: the query as one that chooses just these. Throws for anything else. */
export function readExecuted(body: Buffer): { entries: readonly ServiceEntry[]; query: PreparedQuery } {
  const { Service, Nodes, DNS } = QUERY_ANSWER.parse(JSON.parse(body.toString()));
  const query: PreparedQuery = {
    ...{ id: '', name: '', session: '', service: Service, onlyPassing: false, ...INDEXES },
    ...{ ignoreCheckIds: null, tags: null, nodeMeta: null, serviceMeta: null, near: '' },
    failover: { nearestN: 0, datacenters: null },
    ttl: DNS.TTL,
    ttlMs: parseGoDuration(DNS.TTL) ?? 0,
  };
  return { entries: (Nodes ?? []).map(entryOf), query };
}

const INDEXES = { createIndex: 1, modifyIndex: 1 };

function entryOf({ Node, Service, Checks }: z.output<typeof ENTRY>): ServiceEntry {
  const node = nodeOf(Node);
  const instance: Instance = {
    ...{ node: node.node, id: Service.ID, service: Service.Service, tags: Service.Tags },
    ...{ address: Service.Address, port: Service.Port, taggedAddresses: null, meta: null },
    weights: { passing: Service.Weights.Passing, warning: Service.Weights.Warning },
    ...{ enableTagOverride: false, kind: '', ...INDEXES },
  };
  const checks = Checks.map(
    ({ CheckID: id, Name: name, Status: status, ServiceID: serviceId }): Check => ({
      ...{ node: node.node, id, name, status, notes: '', output: '', serviceId },
      ...{ serviceName: instance.service, serviceTags: [], type: '', definition: undefined, ...INDEXES },
    }),
  );
  return { node, instance, checks };
}

function nodeOf({ ID, Node, Address, Datacenter, Meta }: z.output<typeof NODE>): RegistryNode {
  return {
    ...{ id: ID, node: Node, address: Address, datacenter: Datacenter, taggedAddresses: null, meta: Meta },
    ...INDEXES,
  };
}
