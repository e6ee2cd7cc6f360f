import type { Condition } from './rules.ts';

/** How clients are brought back to the server that they were with. */
export interface StickinessConfig {
  readonly cookie: CookieConfig | undefined;
  /** Undefined: nothing is remembered here. */
  readonly table: StickTableConfig | undefined;
  /** In order: the first that finds a server decides; each that stores, does. None without a table. */
  readonly rules: readonly StickRule[];
  /** Requests for which one of them holds are given a server as if they were nobody's. */
  readonly ignore: readonly Condition[];
}

/** HAProxy's `cookie` of a backend (configuration manual, section 4.2). */
export interface CookieConfig {
  readonly name: string;
  /** Who makes the cookie: Vane, or the server, whose value is replaced or put behind ours. */
  readonly mode: 'insert' | 'rewrite' | 'prefix';
  /** Servers never see it, and clients that bring a good one are told nothing. */
  readonly indirect: boolean;
  /** Caches are told to keep their hands off answers that carry it. */
  readonly nocache: boolean;
  /** Only answers to POST carry it. */
  readonly postonly: boolean;
  /** What the server itself says of it stands. */
  readonly preserve: boolean;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly domains: readonly string[];
  /** As they are written, such as `SameSite=Lax`. */
  readonly attributes: readonly string[];
  /** Whole seconds without a request, and from the first request on, after which it is worth nothing; 0: any. */
  readonly maxIdle: number;
  readonly maxLife: number;
  /** What the values of servers are made with: the same everywhere where clients are to be recognised. */
  readonly key: string;
}

export interface StickTableConfig {
  readonly type: 'ip' | 'ipv6' | 'integer' | 'string' | 'binary';
  /** Of a text: what is longer is cut. */
  readonly length: number;
  /** Entries at most. */
  readonly size: number;
  /** ms since an entry was last used; 0: for ever. */
  readonly expire: number;
  /** A full table takes nothing new; else the oldest entry goes. */
  readonly nopurge: boolean;
  /** What a server is remembered by. */
  readonly serverKey: 'name' | 'addr';
  /** The nodes that share the registry tell each other what is in it. */
  readonly peers?: true;
}

/** What a client is known by. */
export type StickFetch =
  | { readonly kind: 'src' | 'path' }
  | { readonly kind: 'hdr' | 'cookie' | 'url_param' | 'set-cookie' | 'response-hdr'; readonly name: string };

export interface StickRule {
  /** HAProxy's `stick match` and `stick store-request`; `stick on` is both. */
  readonly match: boolean;
  readonly store: boolean;
  readonly fetch: StickFetch;
  readonly condition: Condition | undefined;
}
