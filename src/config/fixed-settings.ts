import { isDeepStrictEqual } from 'node:util';
import type { RuntimeConfig } from './runtime/config.ts';
import type { RegistryConfig } from './runtime/registry.ts';

/** The next configuration, with what a running process cannot change as it is now. */
export function withFixedSettings(now: RuntimeConfig, next: RuntimeConfig): RuntimeConfig {
  const { node, datacenter, dataDir, workers, stats, pidfile } = now.global;
  const global = { ...next.global, node, datacenter, dataDir, workers, stats, pidfile };
  return {
    ...next,
    global,
    registry: now.registry && {
      ...now.registry,
      services: next.registry?.services ?? now.registry.services,
      datacenters: next.registry?.datacenters ?? now.registry.datacenters,
      access: accessOf(now.registry, next.registry),
    },
  };
}

/** What may be done is meant for where the next one listens: it counts only if that is where this one does. */
function accessOf(now: RegistryConfig, next: RegistryConfig | undefined): RegistryConfig['access'] {
  return next && isDeepStrictEqual(now.http, next.http) ? next.access : now.access;
}
