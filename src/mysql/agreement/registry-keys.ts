import type { KeyValues } from '../../registry/key-values.ts';
import type { KvWrite } from '../../registry/kv-plans.ts';
import type { Cause } from '../../registry/model.ts';
import type { CatalogReader } from '../../registry/reader.ts';
import type { Sessions } from '../../registry/sessions.ts';
import type { SharedKeys } from './shared-keys.ts';

/** What of the built-in registry is needed to agree with others that share it. */
export interface SharedRegistry {
  readonly catalog: CatalogReader;
  readonly kv: Pick<KeyValues, 'write'>;
  readonly sessions: Pick<Sessions, 'create' | 'destroy' | 'renew'>;
  /** Undefined: nobody else shares it. */
  readonly cluster: object | undefined;
}

/** The keys of the built-in registry. */
export function registryKeys({ catalog, kv, sessions }: SharedRegistry, by: string): SharedKeys {
  const cause: Cause = { by, what: 'agreement' };
  const write = (verb: KvWrite['verb'], key: string, value: Uint8Array, more: Partial<KvWrite>) =>
    kv.write({ verb, key, value, flags: '0', index: 0, session: '', ...more }, cause);
  return {
    entry: (key) => catalog.kv.entry(key).value,
    watch: (key, onChange) => catalog.watch({ kind: 'kv', key }, onChange),
    acquire: (key, value, session) => write('lock', key, value, { session }),
    release: (key, value, session) => write('unlock', key, value, { session }),
    writeAt: (key, value, index) => write('cas', key, value, { index }),
    createSession: (name, ttl, lockDelay) =>
      sessions.create(
        {
          ...{ name, node: catalog.self, lockDelay, behavior: 'release' },
          ...{ ttl: `${ttl / 1000}s`, ttlMs: ttl, checks: [], nodeChecks: [], serviceChecks: null },
        },
        cause,
      ),
    renewSession: async (id) => (await sessions.renew(id)) !== undefined,
    destroySession: (id) => sessions.destroy(id, cause),
  };
}
