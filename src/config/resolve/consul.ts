import { didYouMean } from '../nearest.ts';
import type { ConsulConfig } from '../runtime/resolvers.ts';
import type { UserResolvers } from '../schema/user-config.ts';
import { readTrusted } from './certificates.ts';
import type { ResolveContext } from './context.ts';

const NAMESERVER_KEYS = [
  'nameserver',
  'parse-resolv-conf',
  'resolve_retries',
  'timeout',
  'hold',
  'min-ttl',
  'max-ttl',
  'accepted_payload_size',
];

/** A section that has the key `consul`. */
export function resolveConsul(id: string, section: UserResolvers, context: ResolveContext): ConsulConfig {
  forbid(id, NAMESERVER_KEYS, 'not for a section with consul: it asks no nameserver', context);
  const { consul: urls = [], token, datacenter, fallback } = section;
  return {
    kind: 'consul',
    id,
    urls: [...new Set(urls)],
    token,
    datacenter,
    ca: trusted(id, section, context),
    onlyPassing: section['only-passing'] ?? false,
    fallback: fallback === undefined ? undefined : checkedFallback(id, fallback, context),
  };
}

/** Reports keys that have no place in this kind of section. */
export function forbid(id: string, keys: readonly string[], why: string, context: ResolveContext): void {
  const written = context.keys(['resolvers', id]);
  for (const key of keys) {
    if (written.has(key)) context.report({ path: ['resolvers', id, key], at: 'key', message: `is ${why}` });
  }
}

function trusted(id: string, section: UserResolvers, context: ResolveContext): string | undefined {
  const { 'ca-file': file, consul: urls = [] } = section;
  if (file === undefined) return undefined;
  const path = ['resolvers', id, 'ca-file'];
  if (urls.length > 0 && urls.every((url) => url.startsWith('http:'))) {
    context.report({ path, at: 'key', message: 'has no use with http://, only with https://' });
  }
  return readTrusted({ path: file, offset: 0 }, path, context);
}

function checkedFallback(id: string, fallback: string, context: ResolveContext): string {
  const path = ['resolvers', id, 'fallback'];
  const others = [...context.keys(['resolvers'])].filter((other) => other !== id);
  if (!others.includes(fallback)) {
    const message = `expected another resolvers section, found ${JSON.stringify(fallback)}`;
    context.report({ path, at: 'value', message, suggestion: didYouMean(fallback, others) });
  } else if (context.keys(['resolvers', fallback]).has('consul')) {
    const message = `${fallback} is a Consul, too: give it a section of nameservers, and consul a list of URLs`;
    context.report({ path, at: 'value', message });
  }
  return fallback;
}
