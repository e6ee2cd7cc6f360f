import { isIP } from 'node:net';
import { isLoopback } from '../config/address.ts';

/**
 * Whether a request with this Host header is served by what listens on `bindHost`. On a loopback address only
 * loopback names are, and those that `others` knows: any other name got here by DNS rebinding, that is, by a web
 * page that uses a visitor's browser to reach what listens there. Elsewhere any name may be right, unless `listed`
 * says that `others` knows them all; addresses are, for no page can be of them but their own.
 */
export function isServedHost(
  header: string | undefined,
  bindHost: string,
  others: (host: string) => boolean = () => false,
  listed = false,
): boolean {
  const host = hostOf(header);
  if (host === '' || isLoopback(host) || host === bindHost || others(host)) return true;
  return !isLoopback(bindHost) && (!listed || isIP(host) !== 0);
}

/** A Host header without its port and brackets, in lower case. */
export function hostOf(header: string | undefined): string {
  const found = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(header ?? '');
  return (found?.[1] ?? found?.[2] ?? header ?? '').toLowerCase();
}
