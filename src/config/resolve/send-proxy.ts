import type { SendProxy } from '../runtime/servers.ts';

/** Version 2 goes before version 1, as in HAProxy. Left out where neither is wanted: mostly none is. */
export function resolveSendProxy(server: {
  readonly 'send-proxy'?: boolean | undefined;
  readonly 'send-proxy-v2'?: boolean | undefined;
}): { readonly sendProxy?: SendProxy } {
  if (server['send-proxy-v2']) return { sendProxy: 'v2' };
  return server['send-proxy'] ? { sendProxy: 'v1' } : {};
}
