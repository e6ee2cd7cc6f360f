import { decodeBody, struct, text } from './decode.ts';
import { demand } from './rights.ts';
import type { Call, Method, Route } from './route.ts';

/** Whether a client that may do so much here may have it done in another datacenter. */
type Right = (call: Call) => boolean;

const anybody: Right = () => true;
const reads: Right = ({ rights }) => rights.reads;
const readsAll: Right = ({ rights }) => rights.readsEverything;
const readsService: Right = ({ rights, rest }) => rights.readsService(rest);
const writesAll: Right = ({ rights }) => rights.writesEverything;
const admin: Right = ({ rights }) => rights.admin;

/**
 * What is asked of other datacenters, and by whom. It is asked there with the token that is configured, so the client
 * must have the right here, on the same path: where an answer is not narrowed to what the client may see, or where it
 * cannot be known here what is changed there, the right to everything.
 */
const ELSEWHERE: Readonly<Record<string, Partial<Record<Method, Right>>>> = {
  '/v1/catalog/services': { GET: readsAll },
  '/v1/catalog/nodes': { GET: reads },
  '/v1/catalog/node/': { GET: readsAll },
  '/v1/catalog/node-services/': { GET: readsAll },
  '/v1/catalog/service/': { GET: readsService },
  '/v1/catalog/connect/': { GET: readsService },
  '/v1/catalog/register': { PUT: writesAll },
  '/v1/catalog/deregister': { PUT: writesAll },
  '/v1/health/service/': { GET: readsService },
  '/v1/health/connect/': { GET: readsService },
  '/v1/health/checks/': { GET: readsService },
  '/v1/health/node/': { GET: readsAll },
  '/v1/health/state/': { GET: readsAll },
  '/v1/kv/': {
    GET: ({ rights, rest, query }) =>
      query.has('recurse') || query.has('keys') ? rights.readsKeysUnder(rest) : rights.readsKey(rest),
    PUT: ({ rights, rest }) => rights.writesKey(rest),
    DELETE: ({ rights, rest, query }) =>
      query.has('recurse') ? rights.writesKeysUnder(rest) : rights.writesKey(rest),
  },
  '/v1/session/create': { PUT: writesAll },
  '/v1/session/destroy/': { PUT: writesAll },
  '/v1/session/renew/': { PUT: writesAll },
  '/v1/session/info/': { GET: reads },
  '/v1/session/node/': { GET: reads },
  '/v1/session/list': { GET: reads },
  '/v1/txn': { PUT: writesAll },
  '/v1/query': { GET: readsAll, POST: writesAll },
  '/v1/query/': { GET: readsAll, PUT: writesAll, DELETE: writesAll },
  '/v1/event/fire/': { PUT: admin },
  '/v1/status/leader': { GET: anybody },
  '/v1/status/peers': { GET: anybody },
  '/v1/coordinate/nodes': { GET: reads },
  '/v1/coordinate/node/': { GET: reads },
};

/** The body of these may say which datacenter they are for. */
const WITH_BODY: ReadonlySet<string> = new Set(['/v1/catalog/register', '/v1/catalog/deregister']);
const DATACENTER = struct('structs.RegisterRequest', { Datacenter: text }, {}, 'ignored');

/** The datacenter that a request names; undefined: none, or the request is always for this one. */
export function datacenterOf(route: Route, call: Call): string | undefined {
  if (!Object.hasOwn(ELSEWHERE, route.path)) return undefined;
  const told = WITH_BODY.has(route.path) ? decodeBody(call.body, DATACENTER).Datacenter : '';
  return told || call.query.get('dc') || undefined;
}

/** Throws Consul's 403 for a client that may not have it done elsewhere. */
export function demandElsewhere(route: Route, method: string, call: Call): void {
  const rights = new Map(Object.entries(ELSEWHERE[route.path] ?? {}));
  demand(rights.get(method)?.(call) ?? false);
}
