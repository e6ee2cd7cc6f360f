import type { Cancel } from '../../core/clock.ts';
import type { Cause } from '../../registry/model.ts';
import type { Answer } from './answer.ts';
import type { Rights } from './rights.ts';

/** One request, as the routes see it. */
export interface Call {
  /** Without the token. */
  readonly query: URLSearchParams;
  /** What the client may do at this moment; throws a 403 once its token counts no more. */
  readonly rights: Rights;
  /** What follows the route's path, percent-decoded; empty for a route without a trailing slash. */
  readonly rest: string;
  /** As text in UTF-8; empty when there is none. */
  readonly body: string;
  /** The same as it came. */
  readonly bytes: Buffer;
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
  /** Its writes are open to whoever may only read; otherwise they are refused before it is asked. */
  readonly readsByWriting?: boolean;
  /** It tells everybody, whatever token they show, as it does in Consul. */
  readonly open?: boolean;
  /** Bytes of a body that are read before the request is refused, of an admin only; without it the server's own. */
  readonly maxBody?: number;
  /** The complaint about a body of that many bytes that is too large; without it the server's own. */
  readonly tooLarge?: (bytes: number, most: number) => string;
}

export function get(path: string, handler: Handler): Route {
  return { path, methods: { GET: handler } };
}

export function put(path: string, handler: Handler): Route {
  return { path, methods: { PUT: handler } };
}
