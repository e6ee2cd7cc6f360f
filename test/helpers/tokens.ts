import { createHash } from 'node:crypto';
import type { RegistryAccess, TokenGrant } from '../../src/config/runtime/registry.ts';

/** What a configuration with these tokens comes to; each is for everything unless it says what. */
export function accessWith(
  tokens: Readonly<Record<string, Partial<TokenGrant> & Pick<TokenGrant, 'policy'>>>,
  anonymous: RegistryAccess['anonymous'] = 'none',
): RegistryAccess {
  const grants = Object.entries(tokens).map(([token, grant]) => {
    const all = grant.services || grant.keys || grant.nodes ? [] : ['*'];
    const hash = createHash('sha256').update(token).digest('hex');
    return { hash, services: all, keys: all, nodes: [], ...grant };
  });
  return { anonymous, grants, allowedHosts: undefined };
}
