import { createHash, timingSafeEqual } from 'node:crypto';
import type { RegistryAccess, TokenGrant } from '../../config/runtime/registry.ts';
import { Refusal } from './refusal.ts';
import { Rights } from './rights.ts';

/** Says what a request may do, by the token it shows: https://developer.hashicorp.com/consul/api-docs/api-structure */
export class Access {
  #config: RegistryAccess;
  #anonymous: Rights;
  #tokens: readonly Token[];

  constructor(config: RegistryAccess) {
    this.#config = config;
    this.#anonymous = new Rights(anonymousGrants(config));
    this.#tokens = tokensOf(config);
  }

  /** Counts from now on, for requests that wait as well. */
  set(config: RegistryAccess): void {
    this.#config = config;
    this.#anonymous = new Rights(anonymousGrants(config));
    this.#tokens = tokensOf(config);
  }

  get allowedHosts(): readonly string[] | undefined {
    return this.#config.allowedHosts;
  }

  /** What Consul calls its default policy: that of requests without a token. */
  get defaultPolicy(): 'allow' | 'deny' {
    return this.#config.anonymous === 'admin' ? 'allow' : 'deny';
  }

  /** False: whoever comes may do everything, and tokens mean nothing (Consul without ACLs). */
  get enabled(): boolean {
    return this.#tokens.length > 0 || this.#config.anonymous !== 'admin';
  }

  /** @param shown see {@link shownToken}. Throws Consul's 403 for a token that is none. */
  rightsOf(shown: Buffer | undefined): Rights {
    if (shown === undefined || !this.enabled) return this.#anonymous;
    // All are compared, each in the same time whatever it is like, so that nothing can be learnt by trying.
    const grants = this.#tokens.filter(({ hash }) => timingSafeEqual(hash, shown));
    if (grants.length === 0) throw new Refusal(403, 'ACL not found');
    const names = new Set(grants.map(({ grant }) => grant.name ?? grant.hash.slice(0, ACCESSOR_DIGITS)));
    return new Rights(
      [...anonymousGrants(this.#config), ...grants.map(({ grant }) => grant)],
      [...names].join('+'),
    );
  }
}

/** Enough of a hash to tell tokens apart, and too little to be of use to anybody. */
const ACCESSOR_DIGITS = 8;

interface Token {
  readonly hash: Buffer;
  readonly grant: TokenGrant;
}

function tokensOf({ grants }: RegistryAccess): readonly Token[] {
  return grants.map((grant) => ({ hash: Buffer.from(grant.hash, 'hex'), grant }));
}

function anonymousGrants({ anonymous }: RegistryAccess): readonly Omit<TokenGrant, 'hash'>[] {
  return anonymous === 'none' ? [] : [{ policy: anonymous, services: ['*'], keys: ['*'], nodes: [] }];
}

/** Consul's name of the token of those who show none. */
const ANONYMOUS = 'anonymous';

/**
 * The SHA-256 of the token that a request shows, undefined without one: as `?token=`, in X-Consul-Token or as
 * `Authorization: Bearer`, looked for in this order, as Consul does. It is taken out of the query, so that nothing below
 * can tell it on.
 */
export function shownToken(
  query: URLSearchParams,
  header: (name: string) => string | undefined,
): Buffer | undefined {
  const token = query.get('token') || header('x-consul-token') || bearer(header('authorization'));
  query.delete('token');
  return token && token !== ANONYMOUS ? createHash('sha256').update(token).digest() : undefined;
}

/** RFC 6750 section 2.1. */
function bearer(header: string | undefined): string | undefined {
  return /^bearer +(\S+)/i.exec(header ?? '')?.[1];
}
