import type { DatacenterConfig } from '../runtime/registry.ts';
import type { UserRegistry } from '../schema/user-config.ts';
import { readTrusted } from './certificates.ts';
import { type ResolveContext, requireKey } from './context.ts';

const DEFAULT_TIMEOUT = 2_000;

/** @param own the datacenter of this node */
export function resolveDatacenters(
  user: Exclude<UserRegistry, 'off'>['datacenters'],
  own: string,
  context: ResolveContext,
): readonly DatacenterConfig[] {
  return Object.entries(user ?? {}).map(([name, { http = '', token, timeout, 'ca-file': caFile }]) => {
    const path = ['registry', 'datacenters', name] as const;
    if (name === own) {
      const message = 'is the datacenter of this node (global.datacenter): name the others';
      context.report({ path, at: 'key', message });
    }
    requireKey(context, path, 'http', 'the URL of its Consul HTTP API');
    if (caFile !== undefined && http.startsWith('http:')) {
      const message = 'has no use with http://, only with https://';
      context.report({ path: [...path, 'ca-file'], at: 'key', message });
    }
    const ca =
      caFile === undefined
        ? undefined
        : readTrusted({ path: caFile, offset: 0 }, [...path, 'ca-file'], context);
    return { name, url: http, token, timeout: timeout ?? DEFAULT_TIMEOUT, ca };
  });
}
