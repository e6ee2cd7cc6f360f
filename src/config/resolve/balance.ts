import type { BalanceAlgorithm } from '../runtime/balance.ts';
import type { UserBackend, UserDefaults } from '../schema/user-config.ts';

type Balancing = Pick<
  UserBackend & UserDefaults,
  'balance' | 'hash-type' | 'hash-key' | 'hash-balance-factor'
>;

/** Each key of its own: a backend may take its algorithm from the defaults and name another hash type. */
export function resolveBalance(backend: Balancing, defaults: Balancing): BalanceAlgorithm {
  const words = backend.balance ?? defaults.balance ?? { kind: 'roundrobin' };
  if (words.kind !== 'hash') return words;
  const plain = { type: 'map-based', function: 'sdbm', avalanche: false } as const;
  return {
    ...words,
    hash: {
      ...(backend['hash-type'] ?? defaults['hash-type'] ?? plain),
      key: backend['hash-key'] ?? defaults['hash-key'] ?? 'id',
      balanceFactor: backend['hash-balance-factor'] ?? defaults['hash-balance-factor'] ?? 0,
    },
  };
}
