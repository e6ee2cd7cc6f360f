import type { Path } from '../problem.ts';
import { DEFAULT_OUTLIER, DEFAULT_RETRY_BUDGET } from '../retry-lines.ts';
import type { BackendConfig } from '../runtime/backends.ts';
import type { RegistryConfig } from '../runtime/registry.ts';
import type { ResolversConfig } from '../runtime/resolvers.ts';
import type { UserBackend, UserConfig, UserDefaults } from '../schema/user-config.ts';
import { resolveBalance } from './balance.ts';
import { type ResolveContext, requireKey } from './context.ts';
import { resolveChecking } from './server-checks.ts';
import { resolveServers } from './servers.ts';
import { resolveStickiness } from './stickiness.ts';

/** Where `maxqueue` says 0, and where it says nothing. */
const DEFAULT_MAXQUEUE = 1_024;
/** HAProxy's `tune.bufsize`. */
const DEFAULT_BUFSIZE = 16_384;

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
    const mode = backend.mode ?? defaults.mode ?? 'http';
    const stickiness = resolveStickiness(backend, name, mode, path, registry, context);
    if (mode === 'tcp' && context.keys(path).has('hedge')) {
      context.report({ path: [...path, 'hedge'], at: 'key', message: 'hedge needs mode http' });
    }
    const servers = resolveServers(backend.servers ?? [], path, { registry, resolvers }, context);
    return {
      name,
      mode,
      balance: resolveBalance(backend, defaults),
      servers: stickiness ? servers.map((server) => ({ ...server, sticky: true })) : servers,
      ...resolveFailing(backend, defaults, user.global),
      retries: backend.retries ?? defaults.retries ?? 3,
      redispatch: backend.option?.redispatch ?? defaults.option?.redispatch ?? true,
      timeout: resolveTimeouts(backend, defaults),
      maxqueue: (backend.maxqueue ?? defaults.maxqueue) || DEFAULT_MAXQUEUE,
      stickiness,
      panicThreshold: backend['panic-threshold'] ?? 0,
      ...((backend.option?.allbackups ?? defaults.option?.allbackups) ? { allBackups: true } : {}),
      ...resolveChecking(backend, defaults, path, context),
    };
  });
}

function resolveFailing(
  backend: UserBackend,
  defaults: UserDefaults,
  global: UserConfig['global'] = {},
): Pick<
  BackendConfig,
  'retryOn' | 'retryBudget' | 'hedge' | 'bufsize' | 'outlier' | 'fullconn' | 'maxConnections'
> {
  const budget = backend['retry-budget'] ?? defaults['retry-budget'] ?? DEFAULT_RETRY_BUDGET;
  const hedge = backend.hedge ?? defaults.hedge ?? 'off';
  const outlier = backend.outlier ?? defaults.outlier ?? DEFAULT_OUTLIER;
  const { maxconn = 20_000, tune } = global;
  const hasMinconn = backend.servers?.some((server) => 'minconn' in server && server.minconn);
  // HAProxy takes a tenth of what the frontends let in.
  const fullconn = backend.fullconn ?? defaults.fullconn ?? Math.ceil(maxconn / 10);
  return {
    retryOn: backend['retry-on'] ?? defaults['retry-on'],
    retryBudget: budget === 'off' ? undefined : budget,
    ...(hedge === 'off' ? {} : { hedge }),
    bufsize: tune?.bufsize ?? DEFAULT_BUFSIZE,
    outlier: outlier === 'off' ? undefined : outlier,
    ...(hasMinconn ? { fullconn } : {}),
    maxConnections: backend['max-connections'] ?? defaults['max-connections'],
  };
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
