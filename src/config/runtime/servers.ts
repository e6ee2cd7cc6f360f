import type { AgentConfig } from './server-checks.ts';

/** One entry of a backend's `servers:` list: a name that stands for any number of servers, or one address. */
export type ServerSource = DomainSource | AddressSource;

interface SourceCommon {
  /** Stable within the backend across reloads: the entry's own text (domain or address). */
  readonly key: string;
  readonly weight: number;
  readonly backup: boolean;
  /** Requests (HTTP) or connections (TCP) at once per server; 0: no limit. */
  readonly maxconn: number;
  /** What `maxconn` begins with while the backend has little to do; undefined: it is always the same. */
  readonly minconn?: number | undefined;
  /** Work that waits for a server and no other, at most; undefined: as much as the backend's queue takes. */
  readonly maxqueue?: number | undefined;
  /** What its work meets has a say in its health; undefined: it has none. */
  readonly observe?: ObserveConfig | undefined;
  /** How long a removed or failed server may finish its work, ms. */
  readonly drain: number;
  readonly check: CheckConfig | undefined;
  /** Instead of a check of its own. */
  readonly track?: TrackConfig | undefined;
  readonly agent?: AgentConfig | undefined;
  /** A new server gets no work until its first good check. */
  readonly probeFirst?: boolean | undefined;
  /** How long a server that joins or is back takes to its whole share of the work, ms; undefined: no time. */
  readonly slowstart?: number | undefined;
  /** When a check takes it down, its work is ended at once: `on-marked-down shutdown-sessions`. */
  readonly endOnDown?: boolean | undefined;
  /** When it comes up, the work of backups is ended: `on-marked-up shutdown-backup-sessions`. */
  readonly endBackupsOnUp?: boolean | undefined;
  /** Undefined: connections go out in the clear. */
  readonly tls?: ServerTls | undefined;
  /** Connections begin with a head of the PROXY protocol; undefined: they do not. */
  readonly sendProxy?: SendProxy | undefined;
  /** Its backend brings clients back to it. */
  readonly sticky?: boolean;
  /** What the backend's cookie says for it; undefined: a value made from its name. */
  readonly cookie?: string | undefined;
}

/** HAProxy's `observe`, `error-limit` and `on-error`. Plain data. */
export interface ObserveConfig {
  /** Connections that fail count; with `layer7` bad answers, and those that do not come, do too. */
  readonly layer: 'layer4' | 'layer7';
  /** So many in a row. */
  readonly limit: number;
  readonly onError: OnError;
}

/**
 * What is done at so many errors: it is checked at once; as if a check had failed; as if all but one had that it takes;
 * or it goes down.
 */
export type OnError = 'fastinter' | 'fail-check' | 'sudden-death' | 'mark-down';

/** Version of the PROXY protocol that tells a server whose connections it gets. */
export type SendProxy = 'v1' | 'v2';

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

/** HAProxy's parameters of `check` (configuration manual, section 5.2). Milliseconds. */
export interface CheckConfig {
  readonly inter: number;
  /** While it is about to go up or down, or has not been checked yet; undefined: `inter`. */
  readonly fastinter?: number | undefined;
  /** While it is down; undefined: `inter`. */
  readonly downinter?: number | undefined;
  readonly fall: number;
  readonly rise: number;
  /** Checked there instead of at the server's own port. */
  readonly port: number | undefined;
  /** Checked there instead of at the server's own address. */
  readonly addr?: string | undefined;
  /** How checks speak to it; undefined: as work does, and in the clear at another address or port. */
  readonly tls?: ServerTls | 'off' | undefined;
}

/** Servers of another backend whose checks speak for these: `track BACKEND/SERVER`, or `track BACKEND`. */
export interface TrackConfig {
  readonly backend: string;
  /** The name of its entry; undefined: the one of the same address and port. */
  readonly server: string | undefined;
}
