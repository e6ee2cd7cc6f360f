import type { TxnOp } from '../../registry/txn-ops.ts';
import { service, toldCheck } from './catalog-writes.ts';
import {
  anything,
  bytes,
  type Decoded,
  decodeBody,
  flag,
  integer,
  list,
  map,
  optional,
  struct,
  text,
  unsigned,
} from './decode.ts';
import { CATALOG_CHECK_DEFINITION, SERVICE_ADDRESS, WEIGHTS } from './requests.ts';
import { flattened, refuseControlCharacters } from './validate.ts';

const KV = struct('api.KVTxnOp', {
  Verb: text,
  Key: text,
  Value: bytes,
  Flags: unsigned,
  Index: unsigned,
  Session: text,
  Namespace: text,
});

const NODE = struct('api.NodeTxnOp', {
  Verb: text,
  Node: struct('api.Node', {
    ID: text,
    Node: text,
    Address: text,
    Datacenter: text,
    TaggedAddresses: map(text),
    Meta: map(text),
    CreateIndex: integer,
    ModifyIndex: integer,
  }),
});

const SERVICE = struct('api.ServiceTxnOp', {
  Verb: text,
  Node: text,
  Service: struct('api.AgentService', {
    Kind: text,
    ID: text,
    Service: text,
    Tags: list(text),
    Meta: map(text),
    Port: integer,
    Address: text,
    TaggedAddresses: map(SERVICE_ADDRESS),
    Weights: optional(WEIGHTS),
    EnableTagOverride: flag,
    CreateIndex: integer,
    ModifyIndex: integer,
    ContentHash: text,
    Proxy: anything,
    Connect: anything,
    Namespace: text,
    Datacenter: text,
  }),
});

const CHECK = struct('api.CheckTxnOp', {
  Verb: text,
  Check: struct('api.HealthCheck', {
    Node: text,
    CheckID: text,
    Name: text,
    Status: text,
    Notes: text,
    Output: text,
    ServiceID: text,
    ServiceName: text,
    ServiceTags: list(text),
    Type: text,
    Namespace: text,
    Definition: CATALOG_CHECK_DEFINITION,
    CreateIndex: integer,
    ModifyIndex: integer,
  }),
});

const OPS = list(
  struct('api.TxnOp', {
    KV: optional(KV),
    Node: optional(NODE),
    Service: optional(SERVICE),
    Check: optional(CHECK),
  }),
);

export type TxnOpBody = NonNullable<Decoded<typeof OPS>>[number];

/** The operations of a request's body. Throws a 400. */
export function decodeTxn(body: string, lenientFields?: boolean): readonly TxnOpBody[] {
  const complaint = 'Failed to parse body';
  return decodeBody(body, OPS, { complaint, ...(lenientFields ? { lenientFields } : {}) }) ?? [];
}

/** What the registry is asked to do; undefined for an operation that says nothing. Throws what is wrong with it. */
export function txnOp(body: TxnOpBody, datacenter: string): TxnOp | undefined {
  if (body.KV) return kvOp(body.KV);
  if (body.Node) return nodeOp(body.Node, datacenter);
  if (body.Service) return serviceOp(body.Service);
  return body.Check ? checkOp(body.Check) : undefined;
}

function kvOp({ Verb, Key, Value, Flags, Index, Session }: Decoded<typeof KV>): TxnOp {
  // Indexes too large for a number are above any there will ever be.
  const index = Math.min(Number(Index), Number.MAX_SAFE_INTEGER);
  const flags = BigInt(Flags).toString();
  return { kind: 'kv', verb: Verb, key: Key, value: Value, flags, index, session: Session };
}

function nodeOp({ Verb, Node }: Decoded<typeof NODE>, datacenter: string): TxnOp {
  refuseControlCharacters({
    'node name': Node.Node,
    'node ID': Node.ID,
    address: Node.Address,
    'node meta': flattened(Node.Meta),
    'tagged addresses': flattened(Node.TaggedAddresses),
  });
  return {
    kind: 'node',
    verb: Verb,
    index: Node.ModifyIndex,
    node: {
      id: Node.ID,
      node: Node.Node,
      address: Node.Address,
      datacenter,
      taggedAddresses: Node.TaggedAddresses,
      meta: Node.Meta,
    },
  };
}

function serviceOp({ Verb, Node, Service }: Decoded<typeof SERVICE>): TxnOp {
  refuseControlCharacters({ 'node name': Node });
  // An operation that only names an instance need not say of which service.
  const named = Verb === 'set' || Verb === 'cas' || Service.Service !== '';
  const request = service(named ? Service : { ...Service, Service: Service.ID || 'unnamed' });
  return { kind: 'service', verb: Verb, index: Service.ModifyIndex, node: Node, service: request };
}

function checkOp({ Verb, Check }: Decoded<typeof CHECK>): TxnOp {
  refuseControlCharacters({ 'node name': Check.Node });
  // What the check's type is said to be does not count here; it follows from its definition.
  const check = toldCheck({ ...Check, Type: '' }, Check.Node);
  return { kind: 'check', verb: Verb, index: Check.ModifyIndex, node: Check.Node, check };
}
