import type { RegistryNode } from '../../registry/model.ts';
import { type Answer, empty, text } from './answer.ts';
import { type ApiContext, ownInstance } from './context.ts';
import { parseBool } from './query.ts';
import { command, Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import { type Call, put, type Route } from './route.ts';
import { refuseControlCharacters } from './validate.ts';
import { vetInstance } from './vet.ts';

/** Where a Consul server's RPC would listen: members and leaders are named with it. */
export const SERVER_PORT = 8300;

/** Maintenance of the node and of its services: https://developer.hashicorp.com/consul/api-docs/agent */
export function agentRoutes(api: ApiContext): readonly Route[] {
  return [
    put('/v1/agent/maintenance', (call) => nodeMaintenance(api, call)),
    put('/v1/agent/service/maintenance/', (call) => serviceMaintenance(api, call)),
  ];
}

/** `address:8300` of a server, by default this one. */
export function serverAddress(api: ApiContext, node: string = api.registry.catalog.self): string {
  const address = api.registry.catalog.node(node).value?.node.address ?? '127.0.0.1';
  return address.includes(':') ? `[${address}]:${SERVER_PORT}` : `${address}:${SERVER_PORT}`;
}

export function ownNode(api: ApiContext): RegistryNode | undefined {
  const { catalog } = api.registry;
  return catalog.node(catalog.self).value?.node;
}

async function nodeMaintenance(api: ApiContext, call: Call): Promise<Answer> {
  demand(call.rights.admin);
  const enable = enableOf(call);
  await command(api.registry.setNodeMaintenance(enable, reasonOf(call), call.cause), 400);
  return empty();
}

async function serviceMaintenance(api: ApiContext, call: Call): Promise<Answer> {
  const id = call.rest;
  if (id === '') throw new Refusal(400, 'Missing service ID');
  const enable = enableOf(call);
  const instance = ownInstance(api, id);
  if (!instance) return text(404, `No service registered with ID ${JSON.stringify(id)}`);
  vetInstance(call.rights, instance);
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
