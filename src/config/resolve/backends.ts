import type { Path } from '../problem.ts';
import type { BackendConfig } from '../runtime/backends.ts';
import type { RegistryConfig } from '../runtime/registry.ts';
import type { ResolversConfig } from '../runtime/resolvers.ts';
import type { UserBackend, UserConfig, UserDefaults } from '../schema/user-config.ts';
import { resolveBalance } from './balance.ts';
import { type ResolveContext, requireKey } from './context.ts';
import { resolveServers } from './servers.ts';

/** Where `maxqueue` says 0, and where it says nothing. */
const DEFAULT_MAXQUEUE = 1_024;

export function resolveBackends(
  user: UserConfig,
  registry: RegistryConfig | undefined,
  resolvers: readonly ResolversConfig[],
  context: ResolveContext,
): readonly BackendConfig[] {
  const defaults = user.defaults ?? {};
  return Object.entries(user.backends ?? {}).map(([name, backend]) => {
    const path: Path = ['backends', name];
    requireKey(context, path, 'servers', 'the servers that do the work');
    const httpchk = backend.option?.httpchk ?? defaults.option?.httpchk;
    return {
      name,
      mode: backend.mode ?? defaults.mode ?? 'http',
      balance: resolveBalance(backend, defaults),
      servers: resolveServers(backend.servers ?? [], path, { registry, resolvers }, context),
      retries: backend.retries ?? defaults.retries ?? 3,
      redispatch: backend.option?.redispatch ?? defaults.option?.redispatch ?? true,
      timeout: resolveTimeouts(backend, defaults),
      maxqueue: (backend.maxqueue ?? defaults.maxqueue) || DEFAULT_MAXQUEUE,
      panicThreshold: backend['panic-threshold'] ?? 0,
      httpchk: httpchk === 'off' ? undefined : httpchk,
    };
  });
}

function resolveTimeouts(
  { timeout = {} }: UserBackend,
  { timeout: inherited = {} }: UserDefaults,
): BackendConfig['timeout'] {
  const connect = timeout.connect ?? inherited.connect ?? 5_000;
  return {
    connect,
    server: timeout.server ?? inherited.server ?? 30_000,
    queue: timeout.queue ?? inherited.queue ?? connect,
    tunnel: timeout.tunnel ?? inherited.tunnel ?? 3_600_000,
    check: timeout.check ?? inherited.check,
  };
}
