import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { CheckRequest, ServiceRequest } from '../../registry/commands.ts';
import type { Instance } from '../../registry/model.ts';
import { type Answer, empty, json, text } from './answer.ts';
import { checkProblem, checkRequest, isCheckStatus, isEmptyCheck } from './check-request.ts';
import { type ApiContext, ownInstance, ownInstances, renewTtl } from './context.ts';
import { decodeBody } from './decode.ts';
import { agentServiceJson, keyed } from './encode.ts';
import { filterOf } from './filter.ts';
import { AGENT_SERVICE } from './filter-shapes.ts';
import { waitOf } from './query.ts';
import { command, Refusal } from './refusal.ts';
import { SERVICE, type ServiceBody, type ServiceCheckBody } from './requests.ts';
import { demand } from './rights.ts';
import { type Call, get, put, type Route } from './route.ts';
import {
  checkedWeights,
  checkServiceMeta,
  flattened,
  isUnspecified,
  refuseConnect,
  refuseControlCharacters,
} from './validate.ts';
import { vetInstance, vetRegistration } from './vet.ts';

/** https://developer.hashicorp.com/consul/api-docs/agent/service */
export function agentServiceRoutes(api: ApiContext): readonly Route[] {
  return [
    get('/v1/agent/services', (call) => services(api, call)),
    get('/v1/agent/service/', (call) => service(api, call)),
    put('/v1/agent/service/register', (call) => register(api, call)),
    put('/v1/agent/service/deregister/', (call) => deregister(api, call)),
  ];
}

function services(api: ApiContext, call: Call): Answer {
  const { rights } = call;
  const { datacenter } = api.registry.catalog;
  const keep = filterOf(call.query.get('filter'), AGENT_SERVICE);
  const shown = (instance: Instance) => agentServiceJson(instance, datacenter);
  return json(
    keyed(
      ownInstances(api).filter((instance) => rights.readsService(instance.service) && keep(shown(instance))),
      (instance) => instance.id,
      shown,
    ),
  );
}

/** Blocks while the instance still has the hash the client names. */
async function service(api: ApiContext, call: Call): Promise<Answer> {
  const { catalog } = api.registry;
  const known = call.query.get('hash') ?? '';
  const deadline = api.parked.deadline(waitOf(call.query));
  for (;;) {
    const { index } = catalog.node(catalog.self);
    const instance = ownInstance(api, call.rest);
    demand(instance ? call.rights.readsService(instance.service) : call.rights.reads);
    if (!instance) return text(404, `unknown service ID: ${call.rest}`);
    const hash = contentHash(instance, catalog.datacenter);
    const awaited =
      hash === known &&
      (await api.parked.changed({ kind: 'node', node: catalog.self }, index, deadline, call.onGone));
    if (!awaited) {
      return json(agentServiceJson(instance, catalog.datacenter, hash), { 'X-Consul-Contenthash': hash });
    }
  }
}

/** 16 hex digits that change whenever the definition does, indexes left out. */
function contentHash(instance: Instance, datacenter: string): string {
  const definition = JSON.stringify(agentServiceJson(instance, datacenter));
  return createHash('sha256').update(definition).digest('hex').slice(0, 16);
}

async function register(api: ApiContext, call: Call): Promise<Answer> {
  const body = decodeBody(call.body, SERVICE, api);
  const service = serviceRequest(body);
  const checks = checkRequests(api, body);
  vetRegistration(call.rights, api.registry.catalog, { service, checks });
  const replace = call.query.get('replace-existing-checks');
  await command(
    api.registry.registerService(
      { service, checks, replaceChecks: replace === '' || replace === 'true' },
      call.cause,
    ),
    400,
  );
  const { catalog } = api.registry;
  if (checks.length > 0) renewTtl(api, catalog.instanceChecks(catalog.self, service.id));
  return empty();
}

/** In the order in which Consul looks at the fields, so that the first complaint is the same. */
export function serviceRequest(body: ServiceBody): ServiceRequest {
  if (body.Name === '') throw new Refusal(400, 'Missing service name');
  if (isUnspecified(body.Address)) throw new Refusal(400, 'Invalid service address');
  const weights = checkedWeights(body.Weights);
  checkServiceMeta(body.Meta);
  refuseControlCharacters({
    'service name': body.Name,
    'service ID': body.ID,
    'service kind': body.Kind,
    'service tags': body.Tags,
    'service address': body.Address,
    'service meta': flattened(body.Meta),
    'tagged addresses': taggedWords(body.TaggedAddresses),
  });
  refuseConnect(body.Proxy, body.Connect);
  return {
    id: body.ID === '' ? body.Name : body.ID,
    service: body.Name,
    tags: body.Tags ?? [],
    address: body.Address,
    port: body.Port,
    taggedAddresses: withFamilies(taggedAddresses(body.TaggedAddresses), body.Address, body.Port),
    meta: body.Meta,
    weights,
    enableTagOverride: body.EnableTagOverride,
    kind: body.Kind,
  };
}

type TaggedBody = ServiceBody['TaggedAddresses'];

/** Every string of a tagged-addresses map. */
export function taggedWords(tagged: TaggedBody): string[] {
  return Object.entries(tagged ?? {}).flatMap(([tag, { Address }]) => [tag, Address]);
}

export function taggedAddresses(tagged: TaggedBody): ServiceRequest['taggedAddresses'] {
  if (!tagged) return null;
  const result: Record<string, { address: string; port: number }> = Object.create(null);
  for (const [tag, { Address, Port }] of Object.entries(tagged)) {
    result[tag] = { address: Address, port: Port };
  }
  return result;
}

/** Consul's agent tags an address with its family, for clients that ask for one. */
function withFamilies(
  tagged: ServiceRequest['taggedAddresses'],
  address: string,
  port: number,
): ServiceRequest['taggedAddresses'] {
  const family = isIP(address);
  if (family === 0) return tagged;
  const own = { address, port };
  // Most have no others, and an object with a shape of its own takes a quarter of the room.
  if (Object.keys(tagged ?? {}).length === 0) {
    return family === 4 ? { lan_ipv4: own, wan_ipv4: own } : { lan_ipv6: own, wan_ipv6: own };
  }
  const families = { [`lan_ipv${family}`]: own, [`wan_ipv${family}`]: own };
  return Object.assign(Object.create(null), families, tagged);
}

/** `Check` first, then `Checks`: the registry numbers them in this order. */
function checkRequests(api: ApiContext, body: ServiceBody): readonly CheckRequest[] {
  const checks: ServiceCheckBody[] = isEmptyCheck(body.Check) ? [] : [body.Check];
  checks.push(...(body.Checks ?? []));
  for (const check of checks) {
    const problem = checkProblem(check);
    if (problem) throw new Refusal(400, `Invalid check: ${problem}`);
  }
  for (const check of checks) {
    if (check.Status !== '' && !isCheckStatus(check.Status)) {
      throw new Refusal(400, "Status for checks must 'passing', 'warning', 'critical'");
    }
  }
  return checks.map((check) =>
    checkRequest(
      check,
      check.CheckID,
      isCheckStatus(check.Status) ? check.Status : undefined,
      api.scriptChecks,
    ),
  );
}

async function deregister(api: ApiContext, call: Call): Promise<Answer> {
  if (call.rest === '') throw new Refusal(500, 'ServiceID missing');
  const instance = ownInstance(api, call.rest);
  if (instance) {
    vetInstance(call.rights, instance);
    await command(api.registry.deregisterService(call.rest, call.cause), 400);
  }
  return empty();
}
