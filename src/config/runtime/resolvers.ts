/** Where outside names are looked up. The id `builtin` is reserved for the registry in this process. */
export type ResolversConfig = NameserversConfig | ConsulConfig;

/** A section that follows services in a Consul over its HTTP API. */
export interface ConsulConfig {
  readonly kind: 'consul';
  readonly id: string;
  /** Scheme, host and port of each; at least one, in the order they are tried. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** Where names without one are looked for; undefined: in the one that is asked. */
  readonly datacenter: string | undefined;
  /** PEM: what certificates must come from; undefined: what Node trusts. */
  readonly ca: string | undefined;
  /** Servers whose checks warn are left out, too. */
  readonly onlyPassing: boolean;
  /** Another section, of nameservers, that is asked while the HTTP API is away. */
  readonly fallback: string | undefined;
}

/** A section that asks nameservers over DNS. Milliseconds throughout. */
export interface NameserversConfig {
  readonly kind: 'nameservers';
  readonly id: string;
  readonly nameservers: readonly {
    readonly name: string;
    readonly transport: 'udp' | 'tcp';
    /** An IP address; a link-local one with its zone (`fe80::1%eth0`). */
    readonly host: string;
    readonly port: number;
  }[];
  /** Sends per resolution before it counts as failed. */
  readonly resolveRetries: number;
  readonly timeoutRetry: number;
  /** The period of names whose server entry gives no `interval`. */
  readonly timeoutResolve: number;
  /** EDNS0 size announced, bytes. */
  readonly acceptedPayloadSize: number;
  readonly hold: HoldTimes;
  /** Bounds within which the TTL of an answer decides when the next look-up is; undefined: it decides nothing. */
  readonly ttl: { readonly min: number; readonly max: number } | undefined;
}

/** How long what was known stays in force against what look-ups say now, ms. Undefined: for ever. */
export interface HoldTimes {
  /** An answer with servers is not asked for anew for this long. */
  readonly valid: number;
  /** Against answers that say that nobody is there, from the first of them on. */
  readonly nx: number;
  /** Of a server that answers with other servers lack, from the first of them on. */
  readonly obsolete: number;
  /** Against failures of each kind, from the last answer with servers on. */
  readonly timeout: number | undefined;
  readonly refused: number | undefined;
  readonly other: number | undefined;
}
