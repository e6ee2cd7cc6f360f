import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Call, Route } from './route.ts';

/** A fastify request as the routes see it. `path` and `query` are those of its target, taken apart already. */
export function callOf(
  route: Route,
  path: string,
  query: URLSearchParams,
  request: FastifyRequest,
  reply: FastifyReply,
): Call {
  return {
    query,
    rest: path.slice(route.path.length),
    body: typeof request.body === 'string' ? request.body : '',
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    cause: {
      by: `api ${clientOf(request)}`,
      what: route.path.replace(/^\/v1\/|\/$/g, ''),
    },
    onGone: (fn) => {
      reply.raw.once('close', fn);
      return () => reply.raw.off('close', fn);
    },
  };
}

/** `address:port`; a client that is gone already has neither. */
function clientOf(request: FastifyRequest): string {
  const { remoteAddress, remotePort } = request.raw.socket;
  if (remoteAddress === undefined) return 'a client that is gone';
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
}
