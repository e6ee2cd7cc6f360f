import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { messageOf, VaneError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Connections } from '../connections.ts';
import { type Access, shownToken } from './access.ts';
import { admit } from './admission.ts';
import { type Answer, empty, text } from './answer.ts';
import { callOf, headerOf } from './call.ts';
import type { Elsewhere } from './elsewhere.ts';
import { cleanPath, location, parseTarget } from './path.ts';
import { refuseNamespace } from './query.ts';
import { Refusal } from './refusal.ts';
import { demand, type Rights } from './rights.ts';
import { METHODS, type Method, type Route } from './route.ts';
import { send } from './transport.ts';

export interface RouterOptions {
  readonly routes: readonly Route[];
  /** The address listened on: decides which Host headers are served. */
  readonly bindHost: string;
  readonly access: Access;
  readonly connections: Connections;
  /** Undefined: there is no other datacenter. */
  readonly elsewhere: Elsewhere | undefined;
  /** Bytes, for the complaint about more. */
  readonly maxBody: number;
  /** True once the server stops: every answer then ends its connection. */
  readonly closing: () => boolean;
  readonly log: Log;
}

/** Puts the routes on a fastify instance, with Consul's rules for paths, methods and errors around them. */
export function mount(server: FastifyInstance, options: RouterOptions): void {
  new Router(options).mount(server);
}

class Router {
  readonly #options: RouterOptions;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  mount(server: FastifyInstance): void {
    server.removeAllContentTypeParsers();
    server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    server.addHook('onRequest', (request, reply) => this.#onRequest(request, reply));
    server.setErrorHandler((error, request, reply) =>
      this.#send(request, reply, this.#failure(error, request), true),
    );
    server.setNotFoundHandler((request, reply) => this.#send(request, reply, empty(404), false));

    const paths = new Set(this.#options.routes.map((route) => route.path));
    for (const route of this.#options.routes) this.#addRoute(server, route);
    for (const path of paths) {
      const bare = path.slice(0, -1);
      if (path.endsWith('/') && !paths.has(bare)) this.#addRedirect(server, bare, path);
    }
    server.get('/', (request, reply) => this.#send(request, reply, text(200, 'Consul Agent'), false));
  }

  #addRoute(server: FastifyInstance, route: Route): void {
    const allow = ['OPTIONS', ...Object.keys(route.methods)].join(',');
    server.all(
      route.path.endsWith('/') ? `${route.path}*` : route.path,
      {
        ...(route.maxBody === undefined ? {} : { bodyLimit: route.maxBody }),
        // Before the body is read: a wrong method needs none, and nobody is to send one in vain.
        onRequest: async (request, reply) => {
          const answer =
            request.method === 'OPTIONS'
              ? empty(200, { Allow: allow })
              : request.method in route.methods
                ? this.#unread(route, request)
                : text(405, `method ${request.method} not allowed`, { Allow: allow });
          if (answer) await this.#send(request, reply, answer, true);
        },
        errorHandler: (error, request, reply) =>
          this.#send(
            request,
            reply,
            this.#tooLarge(route, error, request) ?? this.#failure(error, request),
            true,
          ),
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
    const done = this.#options.connections.begin(request.raw.socket);
    reply.raw.once('close', done);
    // Consul takes every body for JSON, whatever its type says; fastify would refuse one it cannot parse.
    delete request.headers['content-type'];
    const answer = this.#early(request);
    if (answer) await this.#send(request, reply, answer, false);
  }

  #early(request: FastifyRequest): Answer | undefined {
    const { bindHost, access } = this.#options;
    try {
      admit(request.method, request.headers, { bindHost, allowed: access.allowedHosts });
    } catch (error) {
      return this.#failure(error, request);
    }
    const target = request.url.startsWith('/') ? parseTarget(request.url) : undefined;
    if (!target) return text(400, 'Bad Request');
    const clean = cleanPath(target.path);
    if (clean !== target.path) return empty(301, { Location: location(clean, target.query) });
    return request.is404 ? empty(404) : undefined;
  }

  /** What a request is refused for before its body is read, if it has one. */
  #unread(route: Route, request: FastifyRequest): Answer | undefined {
    if (request.method === 'GET' || route.open) return undefined;
    const query = new URLSearchParams(parseTarget(request.url)?.query);
    const token = shownToken(query, (name) => headerOf(request, name));
    try {
      const rights = this.#options.access.rightsOf(token);
      requireRights(route, request.method, rights);
      if (route.maxBody !== undefined) demand(rights.admin);
      return undefined;
    } catch (error) {
      return this.#failure(error, request);
    }
  }

  async #answer(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<Answer> {
    const handler = isMethod(request.method) ? route.methods[request.method] : undefined;
    const target = parseTarget(request.url);
    if (!handler || !target) return text(400, 'Bad Request');
    const query = new URLSearchParams(target.query);
    const { access, elsewhere } = this.#options;
    const token = shownToken(query, (name) => headerOf(request, name));
    const call = callOf(route, target.path, query, () => access.rightsOf(token), request, reply);
    try {
      if (!route.open) requireRights(route, request.method, call.rights);
      refuseNamespace(call.query, call.header('x-consul-namespace'));
      const [path = ''] = request.url.split('?', 1);
      return await (elsewhere?.answer(route, request.method, call, path) ?? handler(call));
    } catch (error) {
      return this.#failure(error, request);
    }
  }

  #tooLarge(route: Route, error: unknown, request: FastifyRequest): Answer | undefined {
    const length = Number(request.headers['content-length']);
    if (statusOf(error) !== 413) return undefined;
    const { maxBody = this.#options.maxBody } = route;
    if (route.tooLarge && Number.isFinite(length)) return text(413, route.tooLarge(length, maxBody));
    return text(413, `Request body too large, max size: ${maxBody} bytes`);
  }

  #failure(error: unknown, request: FastifyRequest): Answer {
    if (error instanceof Refusal) return text(error.status, error.message);
    const status = statusOf(error);
    if (status === 413) return text(413, `Request body too large, max size: ${this.#options.maxBody} bytes`);
    if (status < 500) return text(status, messageOf(error));
    // Without its query, in which there may be a token.
    const path = parseTarget(request.url)?.path;
    const fields = { method: request.method, path, error: messageOf(error) };
    this.#options.log.error(fields, 'consul api request failed');
    return text(500, error instanceof VaneError ? error.message : 'Internal Server Error');
  }

  async #send(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: Answer,
    endpoint: boolean,
  ): Promise<void> {
    const query = request.url.includes('?') ? parseTarget(request.url)?.query : undefined;
    const pretty = query !== undefined && new URLSearchParams(query).has('pretty');
    // What is left of a refused body is not read, so the connection cannot go on.
    const close = this.#options.closing() || answer.status === 413;
    const { defaultPolicy } = this.#options.access;
    await send(request, reply, answer, { endpoint, defaultPolicy, pretty, close });
  }
}

/** What a token that is none, or a method that writes, is refused for; the rest is for the route to say. */
function requireRights(route: Route, method: string, rights: Rights): void {
  if (method !== 'GET' && !route.readsByWriting) demand(rights.registers);
}

function isMethod(method: string): method is Method {
  return METHODS.some((each) => each === method);
}

/** fastify's errors say which status they stand for. */
function statusOf(error: unknown): number {
  if (!(error instanceof Error) || !('statusCode' in error)) return 500;
  return typeof error.statusCode === 'number' ? error.statusCode : 500;
}
