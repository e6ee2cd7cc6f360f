/** One entry of a backend's `servers:` list: a name that stands for any number of servers, or one address. */
export type ServerSource = DomainSource | AddressSource;

interface SourceCommon {
  /** Stable within the backend across reloads: the entry's own text (domain or address). */
  readonly key: string;
  readonly weight: number;
  readonly backup: boolean;
  /** Requests (HTTP) or connections (TCP) at once per server; 0: no limit. */
  readonly maxconn: number;
  /** How long a removed or failed server may finish its work, ms. */
  readonly drain: number;
  readonly check: CheckConfig | undefined;
  /** Undefined: connections go out in the clear. */
  readonly tls?: ServerTls | undefined;
}

/** How a server is spoken to over TLS. Plain data. */
export interface ServerTls {
  /** Whether its certificate must be trusted and be for `name`. */
  readonly verify: boolean;
  /** PEM of those to trust; undefined: those that Node trusts by itself. */
  readonly ca: string | undefined;
  /** What is asked for (SNI, unless it is an address) and must be shown. */
  readonly name: string;
}

export interface DomainSource extends SourceCommon {
  readonly kind: 'domain';
  /** Lower case, without a trailing dot. */
  readonly domain: string;
  /** Goes before what an answer says (SRV, registry), and is needed where it says none (A, AAAA). */
  readonly port: number | undefined;
  /** `builtin` or the id of a `resolvers` section. */
  readonly resolvers: string;
  /** Looked up again this often, ms. */
  readonly interval: number;
  /** What an answer without instances means. */
  readonly onEmpty: OnEmpty;
  /** How many of its servers may vanish within a time; undefined: all at once. */
  readonly maxRemoval?: MaxRemoval | undefined;
  /** Which of a host's addresses are used; undefined: all. */
  readonly preference?: AddressPreference | undefined;
  /** Where servers come from until the name is first known, in order; undefined: `last`. */
  readonly initAddr?: readonly InitAddr[] | undefined;
}

/** Addresses that go before others of the same host. */
export interface AddressPreference {
  readonly family: 'ipv4' | 'ipv6' | undefined;
  /** In their canonical spelling; none: any. */
  readonly networks: readonly string[];
}

/** What was known before a restart, the system's resolver, an address, or nothing (HAProxy's `init-addr`). */
export type InitAddr =
  | { readonly kind: 'last' | 'libc' | 'none' }
  | { readonly kind: 'address'; readonly address: string };

/** An answer without servers takes them all away, none ever, or none for so many ms. */
export type OnEmpty = 'drain' | 'keep' | { readonly keepFor: number };

export interface MaxRemoval {
  /** Of those that work, 1 to 100; or servers, at least 1. */
  readonly amount: { readonly percent: number } | { readonly count: number };
  /** ms. */
  readonly per: number;
}

export interface AddressSource extends SourceCommon {
  readonly kind: 'address';
  readonly host: string;
  readonly port: number;
}

export interface CheckConfig {
  readonly inter: number;
  readonly fall: number;
  readonly rise: number;
  /** Checked there instead of at the server's own port. */
  readonly port: number | undefined;
}
