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
  readonly onEmpty: 'drain' | 'keep';
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
