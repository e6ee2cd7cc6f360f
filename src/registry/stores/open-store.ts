import type { StoreConfig } from '../../config/runtime/store.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { RegistryStore } from '../store.ts';
import { createMemoryStore } from './memory.ts';
import { RedisStore } from './redis/redis-store.ts';
import { openSqliteStore } from './sqlite.ts';

/** The store that a configuration asks for. Nothing is opened before its `load`. */
export function openStore(
  config: StoreConfig,
  deps: { readonly clock: Clock; readonly log: Log },
): RegistryStore {
  switch (config.kind) {
    case 'memory':
      return createMemoryStore();
    case 'sqlite':
      return openSqliteStore(config.file);
    case 'redis':
      return new RedisStore({ ...config, ...deps });
  }
}
