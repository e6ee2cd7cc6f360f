import type { CookieConfig } from '../../config/runtime/stickiness.ts';
import { type CookieClaim, writeClaim } from './cookie-value.ts';

/**
 * What became of the cookie on its way to the client: none, Inserted, Updated with a new date, Passed as the server
 * sent it, Rewritten, or Deleted (HAProxy configuration manual, section 8.5).
 */
export type SetCookieState = 'N' | 'I' | 'U' | 'P' | 'R' | 'D';

export interface AnswerContext {
  readonly method: string;
  /** Value of the server that answers. */
  readonly own: string;
  /** The client's cookie has brought it to this very server. */
  readonly direct: boolean;
  /** What the client's cookie has said. */
  readonly claim: CookieClaim;
  /** The request was for any server: nothing is said about the next ones. */
  readonly ignored: boolean;
  /** Seconds since 1970. */
  readonly now: number;
}

export interface AnswerHeaders {
  readonly headers: readonly string[];
  readonly state: SetCookieState;
}

/** The fields of an answer as the client gets them (configuration manual, section 4.2, `cookie`). */
export function answerCookie(
  config: CookieConfig,
  given: readonly string[],
  context: AnswerContext,
): AnswerHeaders {
  const { headers, state } = serversOwn(config, given, context);
  if (state === 'P' || !isInserted(config, context)) return { headers, state };
  const inserted = [...headers, 'Set-Cookie', ownCookie(config, context)];
  if (config.nocache && isCacheable(context.method, headers)) inserted.push('Cache-Control', 'private');
  return { headers: inserted, state: context.direct ? 'U' : 'I' };
}

/** What the server says of the cookie itself. */
function serversOwn(
  { name, mode, indirect, preserve }: CookieConfig,
  headers: readonly string[],
  { own, direct }: AnswerContext,
): AnswerHeaders {
  let state: SetCookieState = 'N';
  let edited: string[] | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [field = '', line = ''] = [headers[i], headers[i + 1]];
    if (!isSetCookie(field) || !line.startsWith(name) || !/^[ \t]*=/.test(line.slice(name.length))) {
      edited?.push(field, line);
      continue;
    }
    if (preserve) {
      state = 'P';
      continue;
    }
    edited ??= headers.slice(0, i);
    if (mode === 'insert' || (direct && indirect)) {
      state = 'D';
      continue;
    }
    state = 'R';
    const from = line.indexOf('=') + 1;
    const end = line.indexOf(';', from);
    const value = line.slice(from, end === -1 ? undefined : end).trim();
    const rest = end === -1 ? '' : line.slice(end);
    edited.push(field, `${name}=${mode === 'prefix' ? `${own}~${value}` : own}${rest}`);
  }
  return { headers: edited ?? headers, state };
}

function isInserted(
  { mode, postonly, maxIdle, maxLife }: CookieConfig,
  { method, direct, claim, ignored, now }: AnswerContext,
): boolean {
  if (mode !== 'insert' || ignored || (postonly && method !== 'POST')) return false;
  if (!direct) return true;
  // The client has the right one: it is said again when its dates are to change, at most every few seconds.
  const stale = (maxIdle > 0 || claim.last > 0) && claim.last < now;
  return stale || (maxLife > 0 ? claim.first === 0 : claim.first > 0);
}

/** Whether a cache might keep the answer, as far as method and server say: then that is forbidden, as in HAProxy. */
function isCacheable(method: string, headers: readonly string[]): boolean {
  if (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') return false;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [field = '', line = ''] = [headers[i], headers[i + 1]];
    if (field.length !== 13 || field.toLowerCase() !== 'cache-control') continue;
    if (/\b(?:private|no-store|no-cache)\b/i.test(line)) return false;
  }
  return true;
}

function ownCookie(
  { name, maxIdle, maxLife, domains, httpOnly, secure, attributes }: CookieConfig,
  { own, claim, now }: AnswerContext,
): string {
  const last = maxIdle > 0 || maxLife > 0 ? now : undefined;
  const first = maxLife > 0 ? claim.first || now : undefined;
  let text = `${name}=${writeClaim(own, last, first)}; path=/`;
  for (const domain of domains) text += `; domain=${domain}`;
  if (httpOnly) text += '; HttpOnly';
  if (secure) text += '; Secure';
  for (const attribute of attributes) text += `; ${attribute}`;
  return text;
}

function isSetCookie(field: string): boolean {
  return field.length === 10 && field.toLowerCase() === 'set-cookie';
}
