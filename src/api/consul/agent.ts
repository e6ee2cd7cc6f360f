import type { RegistryNode } from '../../registry/model.ts';
import { type Answer, empty, json, text } from './answer.ts';
import { type ApiContext, ownInstance } from './context.ts';
import { parseBool } from './query.ts';
import { command, Refusal } from './refusal.ts';
import { type Call, get, put, type Route } from './route.ts';
import { refuseControlCharacters } from './validate.ts';

/** Where a Consul server's RPC would listen: members and leaders are named with it. */
const SERVER_PORT = 8300;
const SERF_PORT = 8301;

/** The agent itself: https://developer.hashicorp.com/consul/api-docs/agent */
export function agentRoutes(api: ApiContext): readonly Route[] {
  return [
    get('/v1/agent/self', () => self(api)),
    get('/v1/agent/members', (call) => members(api, call)),
    put('/v1/agent/maintenance', (call) => nodeMaintenance(api, call)),
    put('/v1/agent/service/maintenance/', (call) => serviceMaintenance(api, call)),
  ];
}

/** `address:8300` of the one server there is. */
export function serverAddress(api: ApiContext): string {
  const address = ownNode(api)?.address ?? '127.0.0.1';
  return address.includes(':') ? `[${address}]:${SERVER_PORT}` : `${address}:${SERVER_PORT}`;
}

function ownNode(api: ApiContext): RegistryNode | undefined {
  const { catalog } = api.registry;
  return catalog.node(catalog.self).value?.node;
}

function self(api: ApiContext): Answer {
  const { catalog } = api.registry;
  return json({
    Config: {
      Datacenter: catalog.datacenter,
      NodeName: catalog.self,
      NodeID: ownNode(api)?.id ?? '',
      Revision: '',
      Server: true,
      Version: api.version,
    },
    DebugConfig: {},
    Coord: null,
    Member: member(api),
    Stats: {},
    Meta: ownNode(api)?.meta ?? {},
  });
}

/** There is no wide-area pool: Consul answers null for one it has not joined. */
function members(api: ApiContext, call: Call): Answer {
  return json(call.query.get('wan') ? null : [member(api)]);
}

function member(api: ApiContext): object {
  const { catalog } = api.registry;
  return {
    Name: catalog.self,
    Addr: ownNode(api)?.address ?? '',
    Port: SERF_PORT,
    Tags: {
      build: api.version,
      dc: catalog.datacenter,
      id: ownNode(api)?.id ?? '',
      port: String(SERVER_PORT),
      role: 'consul',
    },
    Status: 1,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
}

async function nodeMaintenance(api: ApiContext, call: Call): Promise<Answer> {
  const enable = enableOf(call);
  await command(api.registry.setNodeMaintenance(enable, reasonOf(call), call.cause), 400);
  return empty();
}

async function serviceMaintenance(api: ApiContext, call: Call): Promise<Answer> {
  const id = call.rest;
  if (id === '') throw new Refusal(400, 'Missing service ID');
  const enable = enableOf(call);
  if (!ownInstance(api, id)) return text(404, `No service registered with ID ${JSON.stringify(id)}`);
  await command(api.registry.setServiceMaintenance(id, enable, reasonOf(call), call.cause), 400);
  return empty();
}

function enableOf(call: Call): boolean {
  const word = call.query.get('enable') ?? '';
  if (word === '') throw new Refusal(400, 'Missing value for enable');
  const enable = parseBool(word);
  if (enable === undefined) throw new Refusal(400, `Invalid value for enable: ${JSON.stringify(word)}`);
  return enable;
}

function reasonOf(call: Call): string {
  const reason = call.query.get('reason') ?? '';
  refuseControlCharacters({ reason });
  return reason;
}
