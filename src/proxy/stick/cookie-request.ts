import type { CookieConfig } from '../../config/runtime/stickiness.ts';
import { cookieValue, editCookies } from './cookie-header.ts';
import { type CookieClaim, readClaim } from './cookie-value.ts';

/**
 * What became of a client's cookie: none, of no server here, of one that takes no clients, good, not used for this
 * once (Unused), idle for too long (Expired), or too Old (HAProxy configuration manual, section 8.5).
 */
export type CookieState = 'N' | 'I' | 'D' | 'V' | 'U' | 'E' | 'O';

/** What a cookie says about a request, and the request as its server gets it. */
export interface CookieVerdict {
  readonly state: CookieState;
  /** Id of the server that the client has to get; undefined: any. */
  readonly server: string | undefined;
  readonly claim: CookieClaim;
  readonly headers: readonly string[];
}

/** Who a value stands for: a server's id, and whether it takes clients of its own; undefined: nobody known. */
export type FindServer = (value: string) => { readonly id: string; readonly usable: boolean } | undefined;

const NO_CLAIM: CookieClaim = { server: '', last: 0, first: 0 };
/** Dates of the future are ignored from here on, and forgiven before: clocks differ. */
const FUTURE_S = 86_400;

/**
 * Judges the cookie of a request (configuration manual, section 4.2, `cookie`).
 *
 * @param now seconds since 1970
 * @param ignored the request may go to any server
 */
export function judgeCookie(
  config: CookieConfig,
  headers: readonly string[],
  find: FindServer,
  now: number,
  ignored: boolean,
): CookieVerdict {
  const value = cookieValue(headers, config.name);
  if (value === undefined) return { state: 'N', server: undefined, claim: NO_CLAIM, headers };
  const left = forServer(config, headers);
  const claim = config.mode === 'prefix' ? prefixOf(value) : readClaim(value);
  const none = { server: undefined, claim: NO_CLAIM, headers: left };
  if (isPast(claim.first, config.maxLife, now)) return { ...none, state: 'O' };
  if (isPast(claim.last, config.maxIdle, now)) return { ...none, state: 'E' };
  if (ignored) return { state: 'U', server: undefined, claim, headers: left };
  const found = claim.server === '' ? undefined : find(claim.server);
  if (!found) return { state: 'I', server: undefined, claim, headers: left };
  return found.usable
    ? { state: 'V', server: found.id, claim, headers: left }
    : { state: 'D', server: undefined, claim, headers: left };
}

/** Servers do not see what is ours: all of it where they are not to know of it, else what we have put before theirs. */
function forServer({ name, mode, indirect }: CookieConfig, headers: readonly string[]): readonly string[] {
  if (mode === 'prefix') return editCookies(headers, name, (value) => value.slice(value.indexOf('~') + 1));
  return mode === 'insert' && indirect ? editCookies(headers, name, () => undefined) : headers;
}

function prefixOf(value: string): CookieClaim {
  const end = value.indexOf('~');
  return { ...NO_CLAIM, server: end === -1 ? value : value.slice(0, end) };
}

/** Cookies without a date are taken: they are from before there was a limit. */
function isPast(date: number, limit: number, now: number): boolean {
  return limit > 0 && date > 0 && (now - date > limit || date - now > FUTURE_S);
}
