import type { Cancel } from '../../core/clock.ts';
import type { Cause } from '../../registry/model.ts';
import type { Answer } from './answer.ts';

/** One request, as the routes see it. */
export interface Call {
  readonly query: URLSearchParams;
  /** What follows the route's path, percent-decoded; empty for a route without a trailing slash. */
  readonly rest: string;
  /** UTF-8; empty when there is none. */
  readonly body: string;
  header(name: string): string | undefined;
  /** Who asks, for writes. */
  readonly cause: Cause;
  /** Calls `fn` once if the client goes away before it is answered. */
  onGone(fn: () => void): Cancel;
}

export type Handler = (call: Call) => Answer | Promise<Answer>;

/** The methods endpoints have; any other is refused with 405. */
export const METHODS = ['GET', 'PUT', 'POST', 'DELETE'] as const;
export type Method = (typeof METHODS)[number];

/**
 * One endpoint. A path with a trailing slash stands for everything below it, as in Go's ServeMux; the same path
 * without the slash is then a redirect, unless it is a route itself.
 */
export interface Route {
  readonly path: string;
  /** In the order of the Allow header. */
  readonly methods: Readonly<Partial<Record<Method, Handler>>>;
}

export function get(path: string, handler: Handler): Route {
  return { path, methods: { GET: handler } };
}

export function put(path: string, handler: Handler): Route {
  return { path, methods: { PUT: handler } };
}
