import { z } from 'zod';
import type { CheckFacts, InstanceFacts } from '../service-instance.ts';
import type { Question } from './question.ts';

/** An instance with what names can choose by. */
export interface ConsulInstance extends InstanceFacts {
  readonly tags: readonly string[];
}

/** What Consul says of one question. */
export type ConsulFacts =
  | { readonly kind: 'instances'; readonly instances: readonly ConsulInstance[] }
  | { readonly kind: 'node'; readonly node: { readonly name: string; readonly address: string } | undefined };

// Only what decides about servers is read. Go writes null for lists without anything in them.
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

const CHECK = z.object({
  CheckID: text,
  Name: text,
  Status: z.string(),
  Type: text,
  Notes: text,
  Output: text,
});

const ENTRY = z.object({
  Node: z.object({ Address: text }),
  Service: z.object({
    ID: z.string(),
    Tags: z.array(z.string()).nullish(),
    Address: text,
    Port: z.number().nullish(),
    Weights: z.object({ Passing: z.number(), Warning: z.number() }).nullish(),
  }),
  Checks: z.array(CHECK).nullish(),
});

const ENTRIES = z.array(ENTRY).nullable();
const EXECUTED = z.object({ Nodes: ENTRIES });
const NODE = z.object({ Node: z.object({ Node: z.string(), Address: text }) }).nullable();

/** Reads the body of an answer. Throws for what is no JSON, or not the JSON that Consul answers with. */
export function readAnswer(kind: Question['kind'], body: Buffer): ConsulFacts {
  const json: unknown = JSON.parse(body.toString());
  switch (kind) {
    case 'service':
      return { kind: 'instances', instances: (ENTRIES.parse(json) ?? []).map(instanceOf) };
    case 'query':
      return { kind: 'instances', instances: (EXECUTED.parse(json).Nodes ?? []).map(instanceOf) };
    case 'node': {
      const node = NODE.parse(json)?.Node;
      return { kind: 'node', node: node && { name: node.Node, address: node.Address } };
    }
  }
}

function instanceOf({ Node, Service, Checks }: z.output<typeof ENTRY>): ConsulInstance {
  // Consul's own defaults (agent/structs, Weights).
  const { Passing: passing, Warning: warning } = Service.Weights ?? { Passing: 1, Warning: 1 };
  return {
    node: { address: Node.Address },
    instance: {
      id: Service.ID,
      address: Service.Address,
      port: Service.Port ?? 0,
      weights: { passing, warning },
    },
    tags: Service.Tags ?? [],
    checks: (Checks ?? []).map(checkOf),
  };
}

function checkOf({ CheckID: id, Name, Status, Type, Notes, Output }: z.output<typeof CHECK>): CheckFacts {
  // Older versions of Consul tell maintenance by the id alone.
  const maintenance = id === '_node_maintenance' || id.startsWith('_service_maintenance:');
  const type = maintenance ? 'maintenance' : Type;
  return { id, name: Name, status: Status, type, notes: Notes, output: Output };
}
