import {
  anything,
  type Decoded,
  duration,
  flag,
  integer,
  list,
  map,
  optional,
  struct,
  text,
} from './decode.ts';

/**
 * The bodies Consul takes, field by field (Consul 1.9: agent/structs ServiceDefinition, CheckType,
 * CheckDefinition, RegisterRequest, DeregisterRequest; UDP is newer, of 1.13). What is not listed is refused.
 */
export const WEIGHTS = struct('structs.Weights', { Passing: integer, Warning: integer });
export const SERVICE_ADDRESS = struct('structs.ServiceAddress', { Address: text, Port: integer });

const CHECK_KINDS = {
  ScriptArgs: list(text),
  HTTP: text,
  Header: map(list(text)),
  Method: text,
  Body: text,
  TCP: text,
  UDP: text,
  Interval: duration,
  AliasNode: text,
  AliasService: text,
  DockerContainerID: text,
  Shell: text,
  GRPC: text,
  GRPCUseTLS: flag,
  TLSSkipVerify: flag,
  Timeout: duration,
  TTL: duration,
  SuccessBeforePassing: integer,
  FailuresBeforeCritical: integer,
  DeregisterCriticalServiceAfter: duration,
  OutputMaxSize: integer,
} as const;

const CHECK_ALIASES = {
  args: 'ScriptArgs',
  script_args: 'ScriptArgs',
  docker_container_id: 'DockerContainerID',
  tls_skip_verify: 'TLSSkipVerify',
  grpc_use_tls: 'GRPCUseTLS',
  deregister_critical_service_after: 'DeregisterCriticalServiceAfter',
} as const;

/** A check inside a service: its id is `CheckID`. */
export const SERVICE_CHECK = struct(
  'structs.CheckType',
  { CheckID: text, Name: text, Status: text, Notes: text, ...CHECK_KINDS, ProxyHTTP: text, ProxyGRPC: text },
  { ...CHECK_ALIASES, ServiceID: '', service_id: '' },
);

/** agent/check/register: its id is `ID`. */
export const CHECK = struct(
  'structs.CheckDefinition',
  { ID: text, Name: text, Notes: text, ServiceID: text, Token: text, Status: text, ...CHECK_KINDS },
  { ...CHECK_ALIASES, service_id: 'ServiceID' },
);

export const CHECK_UPDATE = struct('agent.checkUpdate', { Status: text, Output: text });

export const SERVICE = struct(
  'structs.ServiceDefinition',
  {
    Kind: text,
    ID: text,
    Name: text,
    Tags: list(text),
    Address: text,
    TaggedAddresses: map(SERVICE_ADDRESS),
    Meta: map(text),
    Port: integer,
    Check: SERVICE_CHECK,
    Checks: list(SERVICE_CHECK),
    Weights: optional(WEIGHTS),
    Token: text,
    EnableTagOverride: flag,
    Proxy: anything,
    Connect: anything,
  },
  { enable_tag_override: 'EnableTagOverride', tagged_addresses: 'TaggedAddresses' },
);

const CATALOG_SERVICE = struct('structs.NodeService', {
  Kind: text,
  ID: text,
  Service: text,
  Tags: list(text),
  Address: text,
  TaggedAddresses: map(SERVICE_ADDRESS),
  Meta: map(text),
  Port: integer,
  Weights: optional(WEIGHTS),
  EnableTagOverride: flag,
  Proxy: anything,
  Connect: anything,
  CreateIndex: integer,
  ModifyIndex: integer,
});

export const CATALOG_CHECK_DEFINITION = struct('structs.HealthCheckDefinition', {
  HTTP: text,
  TLSSkipVerify: flag,
  Header: map(list(text)),
  Method: text,
  Body: text,
  TCP: text,
  UDP: text,
  Interval: duration,
  OutputMaxSize: integer,
  Timeout: duration,
  DeregisterCriticalServiceAfter: duration,
  ScriptArgs: list(text),
  DockerContainerID: text,
  Shell: text,
  GRPC: text,
  GRPCUseTLS: flag,
  AliasNode: text,
  AliasService: text,
  TTL: duration,
});

const CATALOG_CHECK = struct('structs.HealthCheck', {
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
  Definition: CATALOG_CHECK_DEFINITION,
  CreateIndex: integer,
  ModifyIndex: integer,
});

export const CATALOG_REGISTER = struct('structs.RegisterRequest', {
  Datacenter: text,
  ID: text,
  Node: text,
  Address: text,
  TaggedAddresses: map(text),
  NodeMeta: map(text),
  Service: optional(CATALOG_SERVICE),
  Check: optional(CATALOG_CHECK),
  Checks: list(CATALOG_CHECK),
  SkipNodeUpdate: flag,
  Token: text,
});

export const CATALOG_DEREGISTER = struct('structs.DeregisterRequest', {
  Datacenter: text,
  Node: text,
  ServiceID: text,
  CheckID: text,
  Token: text,
});

export type ServiceBody = Decoded<typeof SERVICE>;
export type ServiceCheckBody = Decoded<typeof SERVICE_CHECK>;
export type CheckBody = Decoded<typeof CHECK>;
/** What a check of a service and a check on its own have in common: how it is run. */
export type CheckKinds = { readonly [K in keyof typeof CHECK_KINDS]: Decoded<(typeof CHECK_KINDS)[K]> };
export type CatalogServiceBody = Omit<Decoded<typeof CATALOG_SERVICE>, 'CreateIndex' | 'ModifyIndex'>;
export type CatalogCheckBody = Omit<Decoded<typeof CATALOG_CHECK>, 'CreateIndex' | 'ModifyIndex'>;
export type CatalogCheckDefinitionBody = Decoded<typeof CATALOG_CHECK_DEFINITION>;
export type CatalogRegisterBody = Decoded<typeof CATALOG_REGISTER>;
