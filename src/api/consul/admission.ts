import { hostOf, isServedHost } from '../served-host.ts';
import { Refusal } from './refusal.ts';

/** What admission looks at in a request. */
interface Head {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

/**
 * Keeps web pages from using a visitor's browser to reach the API. On a loopback address only loopback names
 * are served, because any other name got here by DNS rebinding; and a write that names a foreign origin is
 * refused wherever it arrives. Throws 403.
 */
export function admit(head: Head, bindHost: string): void {
  if (!isServedHost(head.host, bindHost, (host) => host.endsWith('.consul'))) {
    const host = JSON.stringify(hostOf(head.host));
    throw new Refusal(403, `Host ${host} is not served on a loopback address`);
  }
  if (
    head.origin === undefined ||
    head.method === 'GET' ||
    head.method === 'HEAD' ||
    head.method === 'OPTIONS'
  )
    return;
  if (authorityOf(head.origin) !== head.host?.toLowerCase()) {
    throw new Refusal(403, 'Writes from another origin are not allowed');
  }
}

/** `host[:port]` of an Origin header; undefined for `null` and other opaque ones. */
function authorityOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
