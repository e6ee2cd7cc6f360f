import { type Answer, text } from './answer.ts';
import type { ApiContext } from './context.ts';
import { noneConnected } from './health.ts';
import { Refusal } from './refusal.ts';
import { demand } from './rights.ts';
import { type Call, get, type Handler, METHODS, put, type Route } from './route.ts';

/**
 * Parts of Consul's API that Vane does not have. An unknown path is an empty 404, which for some endpoints means that
 * a thing does not exist, so that clients would go on with a wrong idea.
 */
const UNSUPPORTED = [
  '/v1/agent/connect/',
  '/v1/agent/join/',
  '/v1/catalog/gateway-services/',
  '/v1/coordinate/update',
  '/v1/discovery-chain/',
  '/v1/health/ingress/',
  '/v1/internal/',
  '/v1/operator/',
];

const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERR', 'ERROR'];

/** Where Consul has something that Vane has not: as a Consul in which it is switched off, or a plain 501. */
export function absentFeatureRoutes(api: ApiContext): readonly Route[] {
  const connect = () => text(500, 'Connect must be enabled in order to use this endpoint');
  const acl = () => text(401, 'ACL support disabled');
  return [
    ...UNSUPPORTED.map((path) => all(path, unsupported(api, path))),
    all('/v1/acl/', acl),
    put('/v1/agent/token/', acl),
    all('/v1/connect/', connect),
    put('/v1/config', unsupported(api, '/v1/config')),
    {
      path: '/v1/config/',
      methods: { GET: (call) => configEntries(api, call), DELETE: unsupported(api, '/v1/config/') },
    },
    get('/v1/agent/monitor', monitor(unsupported(api, '/v1/agent/monitor'))),
  ];
}

function all(path: string, handler: Handler): Route {
  return { path, methods: Object.fromEntries(METHODS.map((method) => [method, handler])) };
}

/** 501, and a line in the log the first time somebody asks. */
function unsupported(api: ApiContext, path: string): Handler {
  let told = false;
  return (call) => {
    demand(call.rights.admin);
    if (!told) api.log.warn({ path, by: call.cause.by }, 'consul endpoint is not supported');
    told = true;
    return text(501, `Vane does not support ${path}`);
  };
}

/** There are none, and never will be. */
async function configEntries(api: ApiContext, call: Call): Promise<Answer> {
  const none = await noneConnected(api, call, { kind: 'nodes' });
  const [kind, ...name] = call.rest.split('/');
  if (name.length === 0) return none;
  const words = [kind, name.join('/')].map((word) => JSON.stringify(word)).join(' / ');
  return { ...text(404, `Config entry not found for ${words}`), headers: none.headers };
}

function monitor(follow: Handler): Handler {
  return (call) => {
    const level = call.query.get('loglevel') || 'INFO';
    if (LOG_LEVELS.includes(level.toUpperCase())) return follow(call);
    throw new Refusal(400, `Bad request: Unknown log level: ${level}`);
  };
}
