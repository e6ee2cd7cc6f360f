import type { RegistryCommands, ServiceRequest } from '../../registry/commands.ts';
import type { Check, Unindexed } from '../../registry/model.ts';
import { taggedAddresses, taggedWords } from './agent-services.ts';
import { type Answer, json } from './answer.ts';
import type { ApiContext } from './context.ts';
import { decodeBody } from './decode.ts';
import { checkDatacenter } from './query.ts';
import { command, Refusal } from './refusal.ts';
import {
  CATALOG_DEREGISTER,
  CATALOG_REGISTER,
  type CatalogCheckBody,
  type CatalogRegisterBody,
  type CatalogServiceBody,
} from './requests.ts';
import { type Call, put, type Route } from './route.ts';
import { toldDefinition } from './told-definition.ts';
import { flattened, isUnspecified, refuseConnect, refuseControlCharacters } from './validate.ts';
import { vetCatalogDeregistration, vetCatalogRegistration } from './vet.ts';

type CatalogRequest = Parameters<RegistryCommands['catalogRegister']>[0];

/** The writing half of https://developer.hashicorp.com/consul/api-docs/catalog. Its complaints are 500s in Consul. */
export function catalogWriteRoutes(api: ApiContext): readonly Route[] {
  return [
    put('/v1/catalog/register', (call) => register(api, call)),
    put('/v1/catalog/deregister', (call) => deregister(api, call)),
  ];
}

async function register(api: ApiContext, call: Call): Promise<Answer> {
  const body = decodeBody(call.body, CATALOG_REGISTER, api);
  const { datacenter } = api.registry.catalog;
  checkDatacenter(body.Datacenter || call.query.get('dc'), datacenter);
  if (body.Node === '') throw new Refusal(500, 'Must provide node');
  if (body.Address === '' && !body.SkipNodeUpdate) {
    throw new Refusal(500, 'Must provide address if SkipNodeUpdate is not set');
  }
  refuseControlCharacters({
    'node name': body.Node,
    'node ID': body.ID,
    address: body.Address,
    'node meta': flattened(body.NodeMeta),
    'tagged addresses': flattened(body.TaggedAddresses),
  });
  const request: CatalogRequest = {
    node: {
      id: body.ID,
      node: body.Node,
      address: body.Address,
      datacenter,
      taggedAddresses: body.TaggedAddresses,
      meta: body.NodeMeta,
      skipUpdate: body.SkipNodeUpdate,
    },
    service: body.Service ? service(body.Service) : undefined,
    checks: checks(body),
  };
  vetCatalogRegistration(call.rights, api.registry.catalog, request);
  await command(api.registry.catalogRegister(request, call.cause), 500);
  return json(true);
}

/** An instance as the catalog is told of it. Throws 500s. */
export function service(body: CatalogServiceBody): ServiceRequest {
  if (body.Service === '') throw new Refusal(500, 'Must provide service name with ID');
  if (isUnspecified(body.Address)) throw new Refusal(500, 'Invalid service address');
  refuseControlCharacters({
    'service name': body.Service,
    'service ID': body.ID,
    'service kind': body.Kind,
    'service tags': body.Tags,
    'service address': body.Address,
    'service meta': flattened(body.Meta),
    'tagged addresses': taggedWords(body.TaggedAddresses),
  });
  refuseConnect(body.Proxy, body.Connect);
  return {
    id: body.ID === '' ? body.Service : body.ID,
    service: body.Service,
    tags: body.Tags ?? [],
    address: body.Address,
    port: body.Port,
    taggedAddresses: taggedAddresses(body.TaggedAddresses),
    meta: body.Meta,
    weights: { passing: body.Weights?.Passing ?? 1, warning: body.Weights?.Warning ?? 1 },
    enableTagOverride: body.EnableTagOverride,
    kind: body.Kind,
  };
}

function checks(body: CatalogRegisterBody): CatalogRequest['checks'] {
  const all = [...(body.Check ? [body.Check] : []), ...(body.Checks ?? [])];
  return all.map((check) => toldCheck(check, body.Node));
}

/** A check with the definition by which others run it. Throws 500s. */
export function toldCheck(check: CatalogCheckBody, node: string): Omit<Unindexed<Check>, 'node'> {
  const told = toldDefinition(check.Definition);
  const row = catalogCheck(check, node);
  return told ? { ...row, type: row.type || told.kind.kind, toldDefinition: told } : row;
}

/** Only told about, never run: whoever registers a check in the catalog also reports its status. */
function catalogCheck(check: CatalogCheckBody, node: string): Omit<Unindexed<Check>, 'node'> {
  if (check.Node !== '' && check.Node.toLowerCase() !== node.toLowerCase()) {
    throw new Refusal(
      500,
      `check node ${JSON.stringify(check.Node)} does not match node ${JSON.stringify(node)}`,
    );
  }
  refuseControlCharacters({
    'check ID': check.CheckID,
    'check name': check.Name,
    'check status': check.Status,
    'check type': check.Type,
    'service ID': check.ServiceID,
  });
  return {
    id: check.CheckID === '' ? check.Name : check.CheckID,
    name: check.Name,
    status: check.Status === '' ? 'critical' : check.Status,
    notes: check.Notes,
    output: check.Output,
    serviceId: check.ServiceID,
    serviceName: check.ServiceName,
    serviceTags: check.ServiceTags ?? [],
    type: check.Type,
    definition: undefined,
  };
}

async function deregister(api: ApiContext, call: Call): Promise<Answer> {
  const body = decodeBody(call.body, CATALOG_DEREGISTER, api);
  checkDatacenter(body.Datacenter || call.query.get('dc'), api.registry.catalog.datacenter);
  if (body.Node === '') throw new Refusal(500, 'Must provide node');
  const request = {
    node: body.Node,
    serviceId: body.ServiceID === '' ? undefined : body.ServiceID,
    checkId: body.CheckID === '' ? undefined : body.CheckID,
  };
  vetCatalogDeregistration(call.rights, api.registry.catalog, request);
  await command(api.registry.catalogDeregister(request, call.cause), 500);
  return json(true);
}
