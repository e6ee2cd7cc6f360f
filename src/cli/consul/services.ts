import { readDefinitions } from '../../api/definitions/read-files.ts';
import type { CheckRequest } from '../../registry/commands.ts';
import type { CheckKind } from '../../registry/model.ts';
import type { DefinedService } from '../../registry/sources/definitions.ts';
import { RegistryClient } from './client.ts';
import { type CommandContext, type ConsulCommand, textField } from './command.ts';
import { type Flags, parseFlags, REGISTRY_FLAGS, requireWords, wrong } from './flags.ts';

/** https://developer.hashicorp.com/consul/commands/services; `list` is Consul's `catalog services`. */
export const SERVICE_COMMANDS: Readonly<Record<string, ConsulCommand>> = { register, deregister, list };

async function register(args: readonly string[], context: CommandContext): Promise<void> {
  const texts = {
    address: 'text',
    id: 'text',
    meta: 'text',
    name: 'text',
    port: 'text',
    tag: 'text',
  } as const;
  const flags = parseFlags(args, { ...REGISTRY_FLAGS, ...texts });
  const bodies = flags.rest.length > 0 ? await bodiesOf(flags) : [bodyOfFlags(flags)];
  const client = RegistryClient.of(flags, context.env);
  for (const body of bodies) {
    await client.get({ method: 'PUT', path: '/v1/agent/service/register', body: JSON.stringify(body) });
    context.print(`Registered service: ${textField(body, 'Name')}`);
  }
}

async function deregister(args: readonly string[], context: CommandContext): Promise<void> {
  const flags = parseFlags(args, { ...REGISTRY_FLAGS, id: 'text' });
  const id = flags.text('id') ?? '';
  if ((id === '') === (flags.rest.length === 0))
    throw wrong('usage: vane services deregister -id=ID | FILE…');
  const ids = id === '' ? (await definedServices(flags)).map(({ service }) => service.id) : [id];
  const client = RegistryClient.of(flags, context.env);
  for (const each of ids) {
    await client.get({ method: 'PUT', path: `/v1/agent/service/deregister/${encodeURIComponent(each)}` });
    context.print(`Deregistered service: ${each}`);
  }
}

async function list(args: readonly string[], context: CommandContext): Promise<void> {
  const flags = parseFlags(args, { ...REGISTRY_FLAGS, tags: 'switch' });
  requireWords(flags, 0, 0, 'vane services list [-tags]');
  const found = await RegistryClient.of(flags, context.env).json({
    method: 'GET',
    path: '/v1/catalog/services',
  });
  const services = Object.entries(Object(found)).sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(0, ...services.map(([name]) => name.length)) + 4;
  for (const [name, tags] of services) {
    const shown = Array.isArray(tags) ? tags.map(String).sort().join(',') : '';
    context.print(flags.on('tags') ? `${name.padEnd(width)}${shown}`.trimEnd() : name);
  }
}

function bodyOfFlags(flags: Flags): object {
  const name = flags.text('name') ?? '';
  if (name === '') throw wrong('usage: vane services register -name=NAME [flags] | FILE…');
  return {
    Name: name,
    ID: flags.text('id') ?? '',
    Address: flags.text('address') ?? '',
    Port: flags.whole('port') ?? 0,
    Tags: flags.list('tag'),
    Meta: Object.fromEntries(flags.list('meta').map(pairOf)),
  };
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw wrong(`-meta is key=value, not ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function bodiesOf(flags: Flags): Promise<readonly object[]> {
  if (flags.text('name') !== undefined) throw wrong('services come from flags or from files, not from both');
  return (await definedServices(flags)).map(registrationBody);
}

/** Whether scripts may be run is for the registry to say. */
async function definedServices({ rest }: Flags): Promise<readonly DefinedService[]> {
  const { services } = await readDefinitions(rest, { cwd: process.cwd(), scriptChecks: 'api' });
  if (services.length === 0) throw wrong(`no service is defined in ${rest.join(', ')}`);
  return services;
}

/** A definition as agent/service/register takes it. */
function registrationBody({ service, checks }: DefinedService): object {
  const { id, service: name, tags, address, port, meta, weights, enableTagOverride, kind } = service;
  const tagged = Object.entries(service.taggedAddresses ?? {});
  return {
    ...{ ID: id, Name: name, Tags: tags, Address: address, Port: port, Meta: meta, Kind: kind },
    Weights: { Passing: weights.passing, Warning: weights.warning },
    EnableTagOverride: enableTagOverride,
    TaggedAddresses: Object.fromEntries(
      tagged.map(([tag, each]) => [tag, { Address: each.address, Port: each.port }]),
    ),
    Checks: checks.map(checkBody),
  };
}

function checkBody({ id = '', name = '', notes, status, definition }: CheckRequest): object {
  const told = { CheckID: id, Name: name, Notes: notes, Status: status ?? '' };
  if (!definition) return told;
  const { kind, interval, timeout, ttl, successBeforePassing, failuresBeforeCritical, outputMaxSize } =
    definition;
  return {
    ...told,
    ...kindBody(kind),
    Interval: `${interval}ms`,
    Timeout: `${timeout}ms`,
    TTL: `${ttl}ms`,
    SuccessBeforePassing: successBeforePassing,
    FailuresBeforeCritical: failuresBeforeCritical,
    OutputMaxSize: outputMaxSize,
    DeregisterCriticalServiceAfter: `${definition.deregisterCriticalServiceAfter}ms`,
  };
}

function kindBody(kind: CheckKind): object {
  switch (kind.kind) {
    case 'http': {
      const { url, method, header, body, tlsSkipVerify } = kind;
      return { HTTP: url, Method: method, Header: header, Body: body, TLSSkipVerify: tlsSkipVerify };
    }
    case 'tcp':
      return { TCP: kind.address };
    case 'udp':
      return { UDP: kind.address };
    case 'grpc':
      return { GRPC: kind.target, GRPCUseTLS: kind.useTls, TLSSkipVerify: kind.tlsSkipVerify };
    case 'script':
      return { ScriptArgs: kind.args, Shell: kind.shell };
    case 'docker':
      return { DockerContainerID: kind.container, ScriptArgs: kind.args, Shell: kind.shell };
    case 'alias':
      return { AliasNode: kind.node, AliasService: kind.serviceId };
    case 'ttl':
      return {};
  }
}
