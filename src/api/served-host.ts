import { isIP } from 'node:net';

/**
 * Whether a request with this Host header is served by what listens on `bindHost`. On a loopback address only
 * loopback names are, and those that `others` knows: any other name got here by DNS rebinding, that is, by a web
 * page that uses a visitor's browser to reach what listens there.
 */
export function isServedHost(
  header: string | undefined,
  bindHost: string,
  others: (host: string) => boolean = () => false,
): boolean {
  const host = hostOf(header);
  if (host === '' || !isLoopback(bindHost)) return true;
  return isLoopback(host) || host === bindHost || others(host);
}

/** A Host header without its port and brackets, in lower case. */
export function hostOf(header: string | undefined): string {
  const found = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(header ?? '');
  return (found?.[1] ?? found?.[2] ?? header ?? '').toLowerCase();
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
