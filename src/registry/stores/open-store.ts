import type { StoreConfig } from '../../config/runtime/store.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { RegistryStore } from '../store.ts';
import { createMemoryStore } from './memory.ts';
import { openSqliteStore } from './sqlite.ts';

/** The store that a configuration asks for. Nothing is opened before its `load`. */
export async function openStore(
  config: StoreConfig,
  deps: { readonly clock: Clock; readonly log: Log },
): Promise<RegistryStore> {
  switch (config.kind) {
    case 'memory':
      return createMemoryStore();
    case 'sqlite':
      return openSqliteStore(config.file);
    case 'redis': {
      // Its client takes some 10 MB of memory, which the others can do without.
      const { RedisStore } = await import('./redis/redis-store.ts');
      return new RedisStore({ ...config, ...deps });
    }
  }
}
