import { isLoopback } from '../address.ts';
import type { BindAddress } from '../runtime/binds.ts';
import type { RegistryAccess, TokenGrant } from '../runtime/registry.ts';
import type { UserRegistry } from '../schema/user-config.ts';
import type { ResolveContext } from './context.ts';

type UserToken = NonNullable<Exclude<UserRegistry, 'off'>['tokens']>[number];

/** @param http where the API listens; undefined: nowhere */
export function resolveAccess(
  user: Exclude<UserRegistry, 'off'>,
  http: BindAddress | undefined,
  context: ResolveContext,
): RegistryAccess {
  const grants = (user.tokens ?? []).map((token, at) => grantOf(token, at, context));
  const hasTokens = context.keys(['registry']).has('tokens');
  const local = http === undefined || isLoopback(http.host);
  if (http && !hasTokens) requireSomebody(user.anonymous, local, context);
  const anonymous = user.anonymous ?? (local && !hasTokens ? 'admin' : 'none');
  return { anonymous, grants, allowedHosts: user['allowed-hosts'] };
}

/** Without tokens: who comes without one must be able to do something, and not everything from afar unless said so. */
function requireSomebody(
  anonymous: 'none' | 'read' | 'admin' | undefined,
  local: boolean,
  context: ResolveContext,
): void {
  if (context.keys(['registry']).has('anonymous') && anonymous === undefined) return;
  if (anonymous === 'none') {
    const message = 'nobody could use the HTTP API: set registry.tokens, or http: off';
    context.report({ path: ['registry', 'anonymous'], at: 'value', message });
  } else if (anonymous === undefined && !local) {
    const message =
      'is reached from other machines: set registry.tokens, or say what anybody may do with registry.anonymous: read or admin';
    context.report({ path: ['registry', 'http'], at: 'value', message });
  }
}

function grantOf(user: UserToken, at: number, context: ResolveContext): TokenGrant {
  const { token: hash, name, policy, services, keys, nodes } = user;
  const named = name === undefined ? {} : { name };
  for (const key of ['services', 'keys', 'nodes'] as const) {
    const meaningless = policy === 'admin' || (policy === 'read' && key === 'nodes');
    if (user[key] === undefined || !meaningless) continue;
    const message = policy === 'admin' ? 'an admin token is for everything' : 'every node can be read';
    context.report({ path: ['registry', 'tokens', at, key], at: 'key', message });
  }
  if (!services && !keys && !nodes)
    return { ...named, hash, policy, services: ['*'], keys: ['*'], nodes: [] };
  return { ...named, hash, policy, services: services ?? [], keys: keys ?? [], nodes: nodes ?? [] };
}
