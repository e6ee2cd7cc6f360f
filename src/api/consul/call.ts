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
