import type { AddressInfo } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { BindAddress } from '../../config/runtime.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import type { Part } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { admit } from './admission.ts';
import { type Answer, empty, text } from './answer.ts';
import type { ScriptChecks } from './check-request.ts';
import { Connections } from './connections.ts';
import type { ApiContext, ChecksPort } from './context.ts';
import { ParkedQueries } from './parked-queries.ts';
import { cleanPath, location, parseTarget } from './path.ts';
import { refuseNamespace } from './query.ts';
import { Refusal } from './refusal.ts';
import { type Call, METHODS, type Method, type Route } from './route.ts';
import { consulRoutes } from './routes.ts';
import { send } from './transport.ts';

/** Bytes of a body that are read before the request is refused (Consul's limit for a KV value). */
const MAX_BODY = 512 * 1024;

/** Milliseconds. */
const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 30_000;
/** Longer than the 90 s after which Go's clients drop an idle connection, so that it is they who close. */
const KEEP_ALIVE_TIMEOUT = 120_000;
/** Beyond the longest blocking query, 600 s and a sixteenth. */
const SILENT_CONNECTION_TIMEOUT = 700_000;

const MAX_CONNECTIONS = 20_000;

export interface ConsulApiOptions {
  readonly registry: ApiContext['registry'];
  readonly checks: ChecksPort;
  readonly scriptChecks: ScriptChecks;
  readonly bind: BindAddress;
  readonly clock: Clock;
  readonly log: Log;
  /** Told to clients as the agent's version. */
  readonly version: string;
  /** Connections of one address at once; Consul allows 200. Default 1000. */
  readonly connectionsPerClient?: number;
  /** Blocking queries waiting at once. Default 10000. */
  readonly parkedQueries?: number;
}

export interface ConsulApi extends Part {
  /** The port listened on; 0 while not started. */
  readonly port: number;
}

/**
 * Consul's HTTP API (1.9) over the registry: https://developer.hashicorp.com/consul/api-docs.
 * Starting rejects with BIND_FAILED. Stopping answers the blocking queries at once, lets running requests
 * finish until the deadline and then cuts what is left.
 */
export function createConsulApi(options: ConsulApiOptions): ConsulApi {
  return new Server(options);
}

class Server implements ConsulApi {
  readonly name = 'consul api';
  readonly #options: ConsulApiOptions;
  readonly #parked: ParkedQueries;
  readonly #connections: Connections;
  readonly #fastify: FastifyInstance;
  #stopping: Promise<void> | undefined;

  constructor(options: ConsulApiOptions) {
    this.#options = options;
    this.#connections = new Connections(options.connectionsPerClient ?? 1_000);
    this.#parked = new ParkedQueries({
      catalog: options.registry.catalog,
      clock: options.clock,
      limit: options.parkedQueries ?? 10_000,
    });
    this.#fastify = this.#build();
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#fastify.server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  async start(): Promise<void> {
    const { host, port } = this.#options.bind;
    try {
      await this.#fastify.listen({ host, port });
    } catch (error) {
      await this.#fastify.close();
      throw new VaneError('BIND_FAILED', `consul api on ${host}:${port}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  stop(deadline: number): Promise<void> {
    this.#stopping ??= this.#stop(deadline);
    return this.#stopping;
  }

  async #stop(deadline: number): Promise<void> {
    const { clock } = this.#options;
    this.#parked.release();
    this.#connections.endIdle();
    const cancel = clock.after(deadline - clock.now(), () => this.#fastify.server.closeAllConnections());
    try {
      await this.#fastify.close();
    } finally {
      cancel();
    }
  }

  #build(): FastifyInstance {
    const server = fastify({
      logger: false,
      bodyLimit: MAX_BODY,
      exposeHeadRoutes: false,
      return503OnClosing: false,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionTimeout: SILENT_CONNECTION_TIMEOUT,
      http: { headersTimeout: HEADERS_TIMEOUT },
      // A target that cannot be decoded: neither hooks nor routes see it.
      frameworkErrors: (_error, _request, reply) => {
        reply.hijack();
        reply.raw.writeHead(400, { 'Content-Type': 'text/plain; charset=utf-8' });
        reply.raw.end('Bad Request');
      },
    });
    server.server.maxConnections = MAX_CONNECTIONS;
    this.#connections.watch(server.server);

    server.removeAllContentTypeParsers();
    server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    server.addHook('onRequest', (request, reply) => this.#onRequest(request, reply));
    server.setErrorHandler((error, request, reply) =>
      this.#send(request, reply, this.#failure(error, request), true),
    );
    server.setNotFoundHandler((request, reply) => this.#send(request, reply, empty(404), false));

    const routes = consulRoutes({ ...this.#options, parked: this.#parked });
    const paths = new Set(routes.map((route) => route.path));
    for (const route of routes) this.#addRoute(server, route);
    for (const path of paths) {
      const bare = path.slice(0, -1);
      if (path.endsWith('/') && !paths.has(bare)) this.#addRedirect(server, bare, path);
    }
    server.get('/', (request, reply) => this.#send(request, reply, text(200, 'Consul Agent'), false));
    return server;
  }

  #addRoute(server: FastifyInstance, route: Route): void {
    const allow = ['OPTIONS', ...Object.keys(route.methods)].join(',');
    server.all(
      route.path.endsWith('/') ? `${route.path}*` : route.path,
      {
        // Before the body is read: a wrong method needs none.
        onRequest: async (request, reply) => {
          if (request.method in route.methods) return;
          const answer =
            request.method === 'OPTIONS'
              ? empty(200, { Allow: allow })
              : text(405, `method ${request.method} not allowed`, { Allow: allow });
          await this.#send(request, reply, answer, true);
        },
      },
      async (request, reply) => {
        const answer = await this.#answer(route, request, reply);
        await this.#send(request, reply, answer, true);
      },
    );
  }

  #addRedirect(server: FastifyInstance, path: string, target: string): void {
    server.all(path, {
      onRequest: (request, reply) => {
        const { query = '' } = parseTarget(request.url) ?? {};
        return this.#send(request, reply, empty(301, { Location: location(target, query) }), false);
      },
      handler: () => undefined,
    });
  }

  /** What is decided before the route and the body matter. */
  async #onRequest(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const done = this.#connections.begin(request.raw.socket);
    reply.raw.once('close', done);
    // Consul takes every body for JSON, whatever its type says; fastify would refuse one it cannot parse.
    delete request.headers['content-type'];
    const answer = this.#early(request);
    if (answer) await this.#send(request, reply, answer, false);
  }

  #early(request: FastifyRequest): Answer | undefined {
    const { host, origin } = request.headers;
    try {
      admit({ method: request.method, host, origin }, this.#options.bind.host);
    } catch (error) {
      return this.#failure(error, request);
    }
    const target = request.url.startsWith('/') ? parseTarget(request.url) : undefined;
    if (!target) return text(400, 'Bad Request');
    const clean = cleanPath(target.path);
    if (clean !== target.path) return empty(301, { Location: location(clean, target.query) });
    return request.is404 ? empty(404) : undefined;
  }

  async #answer(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<Answer> {
    const handler = isMethod(request.method) ? route.methods[request.method] : undefined;
    const target = parseTarget(request.url);
    if (!handler || !target) return text(400, 'Bad Request');
    const call = callOf(route, target.path, new URLSearchParams(target.query), request, reply);
    try {
      refuseNamespace(call.query, call.header('x-consul-namespace'));
      return await handler(call);
    } catch (error) {
      return this.#failure(error, request);
    }
  }

  #failure(error: unknown, request: FastifyRequest): Answer {
    if (error instanceof Refusal) return text(error.status, error.message);
    const status = statusOf(error);
    if (status === 413) return text(413, `Request body too large, max size: ${MAX_BODY} bytes`);
    if (status < 500) return text(status, messageOf(error));
    const fields = { method: request.method, url: request.url, error: messageOf(error) };
    this.#options.log.error(fields, 'consul api request failed');
    return text(500, error instanceof VaneError ? error.message : 'Internal Server Error');
  }

  async #send(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: Answer,
    endpoint: boolean,
  ): Promise<void> {
    const pretty = new URLSearchParams(parseTarget(request.url)?.query).has('pretty');
    // What is left of a refused body is not read, so the connection cannot go on.
    const close = this.#stopping !== undefined || answer.status === 413;
    await send(request, reply, answer, { endpoint, pretty, close });
  }
}

function isMethod(method: string): method is Method {
  return METHODS.some((each) => each === method);
}

/** fastify's errors say which status they stand for. */
function statusOf(error: unknown): number {
  if (!(error instanceof Error) || !('statusCode' in error)) return 500;
  return typeof error.statusCode === 'number' ? error.statusCode : 500;
}

function callOf(
  route: Route,
  path: string,
  query: URLSearchParams,
  request: FastifyRequest,
  reply: FastifyReply,
): Call {
  const { remoteAddress, remotePort } = request.raw.socket;
  return {
    query,
    rest: path.slice(route.path.length),
    body: typeof request.body === 'string' ? request.body : '',
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    cause: {
      by: `api ${remoteAddress?.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`,
      what: route.path.replace(/^\/v1\/|\/$/g, ''),
    },
    onGone: (fn) => {
      reply.raw.once('close', fn);
      return () => reply.raw.off('close', fn);
    },
  };
}
