import type { BackendConfig } from './backends.ts';
import type { FrontendConfig } from './frontends.ts';
import type { GlobalConfig } from './global.ts';
import type { MysqlVipConfig } from './mysql-vips.ts';
import type { RegistryConfig } from './registry.ts';
import type { ResolversConfig } from './resolvers.ts';

/**
 * What Vane runs on: the user's file after defaults, secrets and checks, frozen, with every duration in
 * milliseconds and every reference resolved. The user's own spelling lives in `schema/`; nothing outside
 * this room reads that.
 */
export interface RuntimeConfig {
  readonly global: GlobalConfig;
  /** Undefined when the file says `registry: off`. */
  readonly registry: RegistryConfig | undefined;
  readonly resolvers: readonly ResolversConfig[];
  readonly frontends: readonly FrontendConfig[];
  readonly backends: readonly BackendConfig[];
  readonly mysqlVips: readonly MysqlVipConfig[];
}
