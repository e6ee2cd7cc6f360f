import type { Session, SessionBehavior } from '../../registry/model.ts';
import { SERF_HEALTH } from '../../registry/names.ts';
import { requireSessionId } from '../../registry/session-id.ts';
import type { SessionRequest } from '../../registry/sessions.ts';
import { type Answer, json } from './answer.ts';
import { type ApiContext, observed } from './context.ts';
import { anything, type Decoded, decodeBody, list, optional, struct, text } from './decode.ts';
import { durationProblem, parseGoDuration } from './go-duration.ts';
import { required } from './health.ts';
import type { JsonValue } from './json-reader.ts';
import { checkDatacenter, readOptions } from './query.ts';
import { command, decodeFailed, Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import { type Call, get, put, type Route } from './route.ts';
import { refuseControlCharacters } from './validate.ts';

/** https://developer.hashicorp.com/consul/api-docs/session */
export function sessionRoutes(api: ApiContext): readonly Route[] {
  const { sessions } = api.registry.catalog;
  return [
    put('/v1/session/create', (call) => create(api, call)),
    put('/v1/session/destroy/', (call) => destroy(api, call)),
    put('/v1/session/renew/', (call) => renew(api, call)),
    get('/v1/session/info/', (call) => info(api, call)),
    get('/v1/session/node/', (call) => {
      const node = required(call, 'Missing node name');
      return listed(api, call, { kind: 'node-sessions', node }, () => sessions.ofNode(node));
    }),
    get('/v1/session/list', (call) => listed(api, call, { kind: 'sessions' }, () => sessions.all())),
  ];
}

/** Here alone Consul passes over fields that it does not know. */
const SESSION = struct(
  'structs.Session',
  {
    Name: text,
    Node: optional(text),
    LockDelay: anything,
    Behavior: text,
    TTL: text,
    NodeChecks: list(text),
    ServiceChecks: list(struct('structs.ServiceCheck', { ID: text, Namespace: text }, {}, 'ignored')),
    Checks: list(text),
  },
  {},
  'ignored',
);

async function create(api: ApiContext, call: Call): Promise<Answer> {
  const body = decodeBody(call.bytes.length > 0 ? call.body : '{}', SESSION);
  const lockDelay = lockDelayOf(body.LockDelay);
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  const node = body.Node ?? api.registry.catalog.self;
  if (node === '') throw new Refusal(500, 'Must provide Node');
  refuseControlCharacters({ 'session name': body.Name });
  const request: SessionRequest = {
    name: body.Name,
    node,
    lockDelay,
    behavior: behaviorOf(body.Behavior),
    ttl: body.TTL,
    ttlMs: ttlOf(body.TTL),
    ...checksOf(body),
    serviceChecks: body.ServiceChecks?.map(({ ID, Namespace }) => ({ id: ID, namespace: Namespace })) ?? null,
  };
  const id = await command(api.registry.sessions.create(request, call.cause), 500);
  return json({ ID: id });
}

const DEFAULT_LOCK_DELAY_MS = 15_000;
/** Below so many nanoseconds a lock delay is taken for seconds, which its sender meant (Consul). */
const SECONDS_BELOW = 1000;

function lockDelayOf(value: JsonValue): number {
  if (value.kind === 'null') return DEFAULT_LOCK_DELAY_MS;
  let nanoseconds = 0;
  if (value.kind === 'number') nanoseconds = Math.trunc(Number(value.text));
  if (value.kind === 'string') {
    const ms = parseGoDuration(value.value);
    if (ms === undefined) throw decodeFailed(durationProblem(value.value));
    nanoseconds = Math.round(ms * 1e6);
  }
  return nanoseconds < SECONDS_BELOW ? nanoseconds * 1000 : nanoseconds / 1e6;
}

function behaviorOf(word: string): SessionBehavior {
  if (word === '' || word === 'release') return 'release';
  if (word === 'delete') return 'delete';
  throw new Refusal(500, `Invalid Behavior setting '${word}'`);
}

const SHORTEST_TTL_MS = 10_000;
const LONGEST_TTL_MS = 86_400_000;

function ttlOf(ttl: string): number {
  if (ttl === '') return 0;
  const ms = parseGoDuration(ttl);
  if (ms === undefined) throw new Refusal(500, `Session TTL '${ttl}' invalid: ${durationProblem(ttl)}`);
  if (ms === 0 || (ms >= SHORTEST_TTL_MS && ms <= LONGEST_TTL_MS)) return ms;
  const nanoseconds = BigInt(Math.round(ms * 1e6));
  throw new Refusal(500, `Invalid Session TTL '${nanoseconds}', must be between [10s=24h0m0s]`);
}

/** Both fields have serfHealth in them unless they are given; the older one says the same and is then left out. */
function checksOf({
  Checks,
  NodeChecks,
}: Decoded<typeof SESSION>): Pick<SessionRequest, 'checks' | 'nodeChecks'> {
  const checks = Checks ?? [SERF_HEALTH];
  const nodeChecks = NodeChecks ?? [SERF_HEALTH];
  if (checks.length === 0) return { checks: null, nodeChecks: [] };
  const saysTheSame = checks.length === 1 && checks[0] === SERF_HEALTH;
  return { checks: saysTheSame || nodeChecks.length === 0 ? null : checks, nodeChecks };
}

async function destroy(api: ApiContext, call: Call): Promise<Answer> {
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  const id = required(call, 'Missing session');
  vetEnd(api, call, id);
  await command(api.registry.sessions.destroy(id, call.cause), 500);
  return json(true);
}

/** Whoever ends a session lets go of what it holds. */
function vetEnd(api: ApiContext, call: Call, id: string): void {
  const { rights } = call;
  demand(api.registry.catalog.kv.heldBy(id.toLowerCase()).every((key) => rights.writesKey(key)));
}

async function renew(api: ApiContext, call: Call): Promise<Answer> {
  readOptions(call.query, call.header('cache-control'));
  checkDatacenter(call.query.get('dc'), api.registry.catalog.datacenter);
  const id = required(call, 'Missing session');
  const renewing = async () => api.registry.sessions.renew(id);
  const session = await command(renewing(), 500);
  if (!session) throw new Refusal(404, `Session id '${id}' not found`);
  return json([sessionJson(session)]);
}

async function info(api: ApiContext, call: Call): Promise<Answer> {
  const given = required(call, 'Missing session');
  const checking = async () => requireSessionId(given);
  await command(checking(), 500);
  const id = given.toLowerCase();
  return listed(api, call, { kind: 'session', id }, () => {
    const { index, value } = api.registry.catalog.sessions.get(id);
    return { index, value: value ? [value] : [] };
  });
}

async function listed(
  api: ApiContext,
  call: Call,
  ...[query, read]: [
    Parameters<typeof observed<readonly Session[]>>[2],
    Parameters<typeof observed<readonly Session[]>>[3],
  ]
): Promise<Answer> {
  const { value, headers } = await observed(api, call, query, read);
  return json(call.rights.reads ? value.map(sessionJson) : [], headers);
}

function sessionJson(session: Session): object {
  const { id, name, node, lockDelay, behavior, ttl, nodeChecks, serviceChecks, checks } = session;
  return {
    ID: id,
    Name: name,
    Node: node,
    LockDelay: Math.round(lockDelay * 1e6),
    Behavior: behavior,
    TTL: ttl,
    NodeChecks: nodeChecks,
    ServiceChecks: serviceChecks?.map((check) => ({ ID: check.id, Namespace: check.namespace })) ?? null,
    ...(checks && checks.length > 0 ? { Checks: checks } : {}),
    CreateIndex: session.createIndex,
    ModifyIndex: session.modifyIndex,
  };
}
