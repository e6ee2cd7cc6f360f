import { shuffled } from '../../dns/shuffle.ts';
import { goDuration } from '../../health/duration.ts';
import type { PreparedQuery } from '../../registry/model.ts';
import type { PreparedQueryRequest } from '../../registry/prepared-queries.ts';
import { chosenBy } from '../../registry/query-choice.ts';
import { type Answer, empty, json } from './answer.ts';
import { type ApiContext, observed } from './context.ts';
import { decodeBody, flag, integer, list, map, struct, text } from './decode.ts';
import { healthEntryJson } from './encode.ts';
import { durationProblem, parseGoDuration } from './go-duration.ts';
import { readable } from './health.ts';
import { checkDatacenter } from './query.ts';
import { command, Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import type { Call, Route } from './route.ts';
import { flattened, refuseControlCharacters } from './validate.ts';

/** https://developer.hashicorp.com/consul/api-docs/query */
export function preparedQueryRoutes(api: ApiContext): readonly Route[] {
  return [
    { path: '/v1/query', methods: { GET: (call) => all(api, call), POST: (call) => create(api, call) } },
    {
      path: '/v1/query/',
      methods: {
        GET: (call) => one(api, call),
        PUT: (call) => update(api, call),
        DELETE: (call) => remove(api, call),
      },
    },
  ];
}

const QUERY = struct('structs.PreparedQuery', {
  ID: text,
  Name: text,
  Session: text,
  Token: text,
  Template: struct('structs.QueryTemplateOptions', { Type: text, Regexp: text, RemoveEmptyTags: flag }),
  Service: struct('structs.ServiceQuery', {
    Service: text,
    Failover: struct('structs.QueryDatacenterOptions', { NearestN: integer, Datacenters: list(text) }),
    OnlyPassing: flag,
    IgnoreCheckIDs: list(text),
    Near: text,
    Tags: list(text),
    NodeMeta: map(text),
    ServiceMeta: map(text),
    Connect: flag,
  }),
  DNS: struct('structs.QueryDNSOptions', { TTL: text }),
  CreateIndex: integer,
  ModifyIndex: integer,
});

async function create(api: ApiContext, call: Call): Promise<Answer> {
  const { id, request } = requestOf(api, call);
  if (id !== '') throw new Refusal(500, 'ID must be empty when creating a new prepared query');
  vetQuery(call, request);
  return json({ ID: await command(api.registry.queries.create(request, call.cause), 500) });
}

async function update(api: ApiContext, call: Call): Promise<Answer> {
  const { request } = requestOf(api, call);
  vetQuery(call, request);
  vetQuery(call, byId(api, call.rest));
  await command(api.registry.queries.update(call.rest, request, call.cause), 500);
  return empty();
}

async function remove(api: ApiContext, call: Call): Promise<Answer> {
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  vetQuery(call, byId(api, call.rest));
  await command(api.registry.queries.delete(call.rest, call.cause), 500);
  return empty();
}

/** A query goes by its name in DNS, where it must not pretend to be somebody else's service. Throws the 403. */
function vetQuery({ rights }: Call, query: { name: string; service: string } | undefined): void {
  if (!query) return;
  demand(rights.readsService(query.service));
  demand(query.name === '' || rights.registersService(query.name));
}

function byId(api: ApiContext, id: string): PreparedQuery | undefined {
  return api.registry.catalog.queries.all().value.find((query) => query.id === id.toLowerCase());
}

/** Throws Consul's 500s. */
function requestOf(api: ApiContext, call: Call): { id: string; request: PreparedQueryRequest } {
  const body = decodeBody(call.body, QUERY, api);
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  const { Name, Session, Service, DNS, Template } = body;
  if (Template.Type !== '') throw invalid('Templates are not supported');
  if (Name === '' && Session === '') throw invalid('Must be bound to a session');
  if (Service.Service === '') throw invalid('Must provide a Service name to query');
  if (Service.Connect) throw invalid('Connect is not supported');
  const { NearestN, Datacenters } = Service.Failover;
  if (NearestN < 0) throw invalid(`Bad NearestN '${NearestN}', must be >= 0`);
  refuseControlCharacters({
    'query name': Name,
    'service name': Service.Service,
    'service tags': Service.Tags,
    'node meta': flattened(Service.NodeMeta),
    'service meta': flattened(Service.ServiceMeta),
  });
  const request = {
    name: Name,
    session: Session.toLowerCase(),
    service: Service.Service,
    onlyPassing: Service.OnlyPassing,
    ignoreCheckIds: Service.IgnoreCheckIDs,
    tags: Service.Tags,
    nodeMeta: Service.NodeMeta,
    serviceMeta: Service.ServiceMeta,
    near: Service.Near,
    failover: { nearestN: NearestN, datacenters: Datacenters },
    ttl: DNS.TTL,
    ttlMs: ttlOf(DNS.TTL),
  };
  return { id: body.ID, request };
}

function ttlOf(ttl: string): number {
  const ms = ttl === '' ? 0 : parseGoDuration(ttl);
  if (ms === undefined) throw invalid(`Bad DNS TTL '${ttl}': ${durationProblem(ttl)}`);
  if (ms < 0) throw invalid(`DNS TTL '${goDuration(ms)}', must be >=0`);
  return ms;
}

function invalid(why: string): Refusal {
  return new Refusal(500, `Invalid prepared query: ${why}`);
}

async function all(api: ApiContext, call: Call): Promise<Answer> {
  const { queries } = api.registry.catalog;
  const { value, headers } = await observed(api, call, { kind: 'queries' }, () => queries.all());
  const { rights } = call;
  return json(value.filter(({ service }) => rights.readsService(service)).map(queryJson), headers);
}

/** A query by its id, or what it comes to, by its id or name. */
async function one(api: ApiContext, call: Call): Promise<Answer> {
  const [, name = '', what] = /^(.*)\/(execute|explain)$/s.exec(call.rest) ?? [];
  if (what === 'execute') return execute(api, call, name);
  if (what === 'explain') return explain(api, call, name);
  const { queries } = api.registry.catalog;
  const { value, headers } = await observed(api, call, { kind: 'queries' }, () => queries.all());
  const query = value.find(({ id }) => id === call.rest.toLowerCase());
  if (!query) throw notFound();
  demand(call.rights.readsService(query.service));
  return json([queryJson(query)], headers);
}

function execute(api: ApiContext, call: Call, name: string): Answer {
  const { catalog } = api.registry;
  const limit = limitOf(call);
  checkDatacenter(call.query.get('dc'), catalog.datacenter);
  const query = catalog.queries.find(name);
  if (!query) throw notFound();
  const { index, value } = catalog.entries(query.service);
  // Whoever takes the first of them does not always take the same one.
  const chosen = [...shuffled(readable(call, chosenBy(query, value, api.warningsFail)), Math.random)];
  return json({
    Service: query.service,
    Nodes: chosen.slice(0, limit).map(healthEntryJson),
    DNS: { TTL: query.ttl },
    Datacenter: catalog.datacenter,
    Failovers: 0,
    ...meta(index),
  });
}

function explain(api: ApiContext, call: Call, name: string): Answer {
  const { catalog } = api.registry;
  checkDatacenter(call.query.get('dc'), catalog.datacenter);
  const query = catalog.queries.find(name);
  if (!query) throw notFound();
  demand(call.rights.readsService(query.service));
  return json({ Query: queryJson(query), ...meta(catalog.queries.all().index) });
}

/** What Consul tells in headers elsewhere. */
function meta(index: number): object {
  return { Index: index, LastContact: 0, KnownLeader: true, ConsistencyLevel: 'leader' };
}

function limitOf(call: Call): number {
  const given = call.query.get('limit') ?? '';
  if (given === '') return Number.POSITIVE_INFINITY;
  if (!/^[+-]?\d{1,9}$/.test(given))
    throw new Refusal(400, `Bad limit: ${JSON.stringify(given)} is no number`);
  return Number(given) > 0 ? Number(given) : Number.POSITIVE_INFINITY;
}

function notFound(): Refusal {
  return new Refusal(404, 'Query not found');
}

function queryJson(query: PreparedQuery): object {
  return {
    ID: query.id,
    Name: query.name,
    Session: query.session,
    Token: '',
    Template: { Type: '', Regexp: '', RemoveEmptyTags: false },
    Service: {
      Service: query.service,
      Failover: { NearestN: query.failover.nearestN, Datacenters: query.failover.datacenters },
      OnlyPassing: query.onlyPassing,
      IgnoreCheckIDs: query.ignoreCheckIds,
      Near: query.near,
      Tags: query.tags,
      NodeMeta: query.nodeMeta,
      ServiceMeta: query.serviceMeta,
      Connect: false,
    },
    DNS: { TTL: query.ttl },
    CreateIndex: query.createIndex,
    ModifyIndex: query.modifyIndex,
  };
}
