import { resolveBackends } from './resolve/backends.ts';
import { checkBinds } from './resolve/binds.ts';
import type { ResolveContext } from './resolve/context.ts';
import { resolveFrontends } from './resolve/frontends.ts';
import { resolveGlobal, resolveRegistry } from './resolve/global.ts';
import { resolveMysqlVips } from './resolve/mysql-vips.ts';
import { resolveResolvers } from './resolve/resolvers.ts';
import { checkTracks } from './resolve/server-checks.ts';
import type { RuntimeConfig } from './runtime/config.ts';
import type { UserConfig } from './schema/user-config.ts';

/**
 * Fills in the defaults, reads the rules, checks what refers to what, and freezes the result. Pure. Problems
 * are reported through the context; after any, the result is not to be used.
 */
export function resolveConfig(user: UserConfig, context: ResolveContext): RuntimeConfig {
  const global = resolveGlobal(user.global, context);
  const registry = resolveRegistry(user.registry, global, context);
  const resolvers = resolveResolvers(user.resolvers, context);
  const config: RuntimeConfig = {
    global,
    registry,
    resolvers,
    frontends: resolveFrontends(user, global, context),
    backends: resolveBackends(user, registry, resolvers, context),
    mysqlVips: resolveMysqlVips(user, global, resolvers, context),
  };
  checkBinds(config, context);
  checkTracks(user, config.backends, context);
  return deepFreeze(config);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
