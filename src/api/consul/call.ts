import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Rights } from './rights.ts';
import type { Call, Route } from './route.ts';

/** A fastify request as the routes see it. `path` and `query` are those of its target, taken apart already. */
export function callOf(
  route: Route,
  path: string,
  query: URLSearchParams,
  rights: () => Rights,
  request: FastifyRequest,
  reply: FastifyReply,
): Call {
  const bytes = Buffer.isBuffer(request.body) ? request.body : NOTHING;
  return {
    query,
    get rights() {
      return rights();
    },
    rest: path.slice(route.path.length),
    get body() {
      return bytes.toString();
    },
    bytes,
    header: (name) => headerOf(request, name),
    get cause() {
      const { holder } = rights();
      const token = holder === undefined ? '' : ` token ${holder}`;
      return { by: `api ${clientOf(request)}${token}`, what: route.path.replace(/^\/v1\/|\/$/g, '') };
    },
    onGone: (fn) => {
      reply.raw.once('close', fn);
      return () => reply.raw.off('close', fn);
    },
  };
}

/** A header's values in one, by its name in lower case. */
export function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

const NOTHING = Buffer.alloc(0);

/** `address:port`; a client that is gone already has neither. */
function clientOf(request: FastifyRequest): string {
  const { remoteAddress, remotePort } = request.raw.socket;
  if (remoteAddress === undefined) return 'a client that is gone';
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
}
