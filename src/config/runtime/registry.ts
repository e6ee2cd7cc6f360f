import type { BindAddress } from './binds.ts';
import type { StoreConfig } from './store.ts';

export interface RegistryConfig {
  /** Undefined: that door is shut. */
  readonly http: BindAddress | undefined;
  /** Connections of one address to it at once. */
  readonly httpConnectionsPerClient: number;
  readonly access: RegistryAccess;
  readonly dns: BindAddress | undefined;
  /** The zone served, without a trailing dot: `consul`. */
  readonly domain: string;
  readonly store: StoreConfig;
  /** Definition files and folders of them, as they are written: relative ones start from the current folder. */
  readonly services: readonly string[];
  /** `files`: only checks from definition files may run programs; `api`: whoever reaches the API may. */
  readonly scriptChecks: 'off' | 'files' | 'api';
  /** Checks of nodes that are written into the catalog as external are run. */
  readonly externalChecks: boolean;
  /** Where Docker checks are run, as it is written. Undefined: where the environment says, or the usual place. */
  readonly dockerHost: string | undefined;
  /** Advertised as this node's address, for services registered without one. */
  readonly nodeAddress: string;
  readonly dnsConfig: DnsConfig;
  /** Others than this one. */
  readonly datacenters: readonly DatacenterConfig[];
  /** Instances whose worst check is a warning get no traffic. */
  readonly warningsFail: boolean;
  /** Fields that are not known in bodies of requests are passed over instead of refused. */
  readonly lenientFields: boolean;
}

/** A registry in another datacenter, Vane's or Consul's. */
export interface DatacenterConfig {
  readonly name: string;
  /** `http://10.1.0.5:8500`: scheme, host and port. */
  readonly url: string;
  /** Asked with there; undefined: none. */
  readonly token: string | undefined;
  /** Until it has answered, ms. */
  readonly timeout: number;
  /** PEM: what its certificate must come from; undefined: what Node trusts. */
  readonly ca: string | undefined;
}

/** Who may do what over the registry's HTTP API. */
export interface RegistryAccess {
  /** For requests without a token. */
  readonly anonymous: 'none' | 'read' | 'admin';
  /** Those of one token add up. */
  readonly grants: readonly TokenGrant[];
  /** Names in lower case, `.example.com` for all below it. Undefined: any where others can reach it. */
  readonly allowedHosts: readonly string[] | undefined;
}

/** What a token is for. Names stand for themselves, or with `*` behind for all that begin so. */
export interface TokenGrant {
  /** For the log; undefined: the beginning of the hash stands for it. */
  readonly name?: string | undefined;
  /** SHA-256 in hex: the token itself is not kept. */
  readonly hash: string;
  readonly policy: 'read' | 'register' | 'admin';
  readonly services: readonly string[];
  readonly keys: readonly string[];
  /** Of other machines, that may be written into the catalog. */
  readonly nodes: readonly string[];
}

/** What Consul's DNS answers are made by (its `dns_config`, `recursors` and `alt_domain`). Whole seconds, but for one. */
export interface DnsConfig {
  /** A second zone with the same names, without a trailing dot. */
  readonly altDomain: string | undefined;
  /** Nameservers for all other names, asked in this order. Empty: those names are refused. */
  readonly recursors: readonly { readonly host: string; readonly port: number }[];
  /** How long each of them may take, ms. */
  readonly recursorTimeout: number;
  readonly nodeTtl: number;
  /** By service, in lower case; `web*` is for all that begin so, `*` for all others. The longest match counts. */
  readonly serviceTtls: Readonly<Record<string, number>>;
  readonly onlyPassing: boolean;
  /** Answers in a datagram for askers that announce no size above 512 bytes. */
  readonly udpAnswerLimit: number;
  /** Address records in one answer, however large it may be; 0: all. */
  readonly aRecordLimit: number;
  /** Set the TC bit when answers were left out. */
  readonly enableTruncate: boolean;
  readonly soa: {
    readonly refresh: number;
    readonly retry: number;
    readonly expire: number;
    /** How long resolvers may remember that a name does not exist. */
    readonly minTtl: number;
  };
  /** Set the RA bit although there are no recursors, for forwarders that cache nothing without it. */
  readonly recursionAvailable: boolean;
  /** Say that addresses nobody has do not exist, instead of failing. */
  readonly ptrNxdomain: boolean;
}
