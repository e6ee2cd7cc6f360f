/** What an expression may select: the fields of an answer, by Go's names, and what each of them is. */
export type Shape =
  | { readonly kind: 'string' | 'int' | 'bool' | 'strings' }
  | { readonly kind: 'map'; readonly of: Shape }
  | { readonly kind: 'struct'; readonly fields: Readonly<Record<string, Shape>> }
  | { readonly kind: 'list'; readonly of: Shape };

const string: Shape = { kind: 'string' };
const int: Shape = { kind: 'int' };
const bool: Shape = { kind: 'bool' };
const strings: Shape = { kind: 'strings' };
const meta: Shape = { kind: 'map', of: string };
const addresses: Shape = { kind: 'map', of: { kind: 'struct', fields: { Address: string, Port: int } } };
const weights: Shape = { kind: 'struct', fields: { Passing: int, Warning: int } };

const instance = {
  Kind: string,
  ID: string,
  Service: string,
  Tags: strings,
  Meta: meta,
  Port: int,
  Address: string,
  TaggedAddresses: addresses,
  Weights: weights,
  EnableTagOverride: bool,
};

export const NODE: Shape = {
  kind: 'struct',
  fields: {
    ID: string,
    Node: string,
    Address: string,
    Datacenter: string,
    TaggedAddresses: meta,
    Meta: meta,
  },
};

export const NODE_SERVICE: Shape = { kind: 'struct', fields: instance };

export const AGENT_SERVICE: Shape = { kind: 'struct', fields: { ...instance, Datacenter: string } };

export const CHECK: Shape = {
  kind: 'struct',
  fields: {
    Node: string,
    CheckID: string,
    Name: string,
    Status: string,
    Notes: string,
    Output: string,
    ServiceID: string,
    ServiceName: string,
    ServiceTags: strings,
    Type: string,
  },
};

export const HEALTH_ENTRY: Shape = {
  kind: 'struct',
  fields: { Node: NODE, Service: NODE_SERVICE, Checks: { kind: 'list', of: CHECK } },
};

export const CATALOG_SERVICE: Shape = {
  kind: 'struct',
  fields: {
    ID: string,
    Node: string,
    Address: string,
    Datacenter: string,
    TaggedAddresses: meta,
    NodeMeta: meta,
    ServiceKind: string,
    ServiceID: string,
    ServiceName: string,
    ServiceTags: strings,
    ServiceAddress: string,
    ServiceTaggedAddresses: addresses,
    ServiceWeights: weights,
    ServiceMeta: meta,
    ServicePort: int,
    ServiceEnableTagOverride: bool,
  },
};
