import { hostOf, isServedHost } from '../served-host.ts';
import { Refusal } from './refusal.ts';

/** The headers that admission looks at. */
interface Head {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
  readonly 'sec-fetch-mode'?: string | string[] | undefined;
}

/** Where the API listens, and what it is called there. */
interface Door {
  readonly bindHost: string;
  /** Host names, `.example.com` for all below it; undefined: none, or any where others can reach it. */
  readonly allowed: readonly string[] | undefined;
}

/**
 * Keeps web pages from using a visitor's browser to reach the API. A page that got here by DNS rebinding names a host
 * that is not ours; and what a page of another origin asks for is refused, all but links to follow, which tell it
 * nothing. Throws 403.
 */
export function admit(method: string, head: Head, { bindHost, allowed }: Door): void {
  const named = (host: string) => host.endsWith('.consul') || isAllowed(host, allowed ?? []);
  if (!isServedHost(head.host, bindHost, named, allowed !== undefined)) {
    const host = JSON.stringify(hostOf(head.host));
    throw new Refusal(403, `Host ${host} is not served here`);
  }
  const { origin, 'sec-fetch-site': site, 'sec-fetch-mode': mode } = head;
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') {
    if (!foreign || mode === 'navigate') return;
    throw new Refusal(403, 'Requests of pages of another origin are not allowed');
  }
  if (foreign || (origin !== undefined && authorityOf(origin) !== head.host?.toLowerCase())) {
    throw new Refusal(403, 'Writes from another origin are not allowed');
  }
}

function isAllowed(host: string, allowed: readonly string[]): boolean {
  return allowed.some((name) => (name.startsWith('.') ? host.endsWith(name) : host === name));
}

/** `host[:port]` of an Origin header; undefined for `null` and other opaque ones. */
function authorityOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
