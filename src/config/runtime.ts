/**
 * What Vane runs on: the user's file after defaults, secrets and checks, frozen, with every duration in
 * milliseconds and every reference resolved. The user's own spelling lives in `schema.ts`; nothing outside
 * this room reads that.
 */
export interface RuntimeConfig {
  readonly global: GlobalConfig;
  /** Undefined when the file says `registry: off`. */
  readonly registry: RegistryConfig | undefined;
  readonly resolvers: readonly ResolversConfig[];
  readonly frontends: readonly FrontendConfig[];
  readonly backends: readonly BackendConfig[];
  readonly mysqlVips: readonly MysqlVipConfig[];
}

/** A TCP or UDP address to listen on. Port 0 lets the system choose. */
export interface BindAddress {
  readonly host: string;
  readonly port: number;
}

/** An address of a frontend. */
export interface FrontendBind extends BindAddress {
  /** Absent: connections come in the clear. */
  readonly tls?: TlsBind;
}

export interface TlsBind {
  /** The first is for clients that ask for no name, or for none that another one is for. */
  readonly certificates: readonly Certificate[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

export interface Certificate {
  /** As the user wrote it. */
  readonly file: string;
  /** PEM: the certificate and those that lead to its root. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** Host names in lower case; `*.example.com` covers one label. */
  readonly names: readonly string[];
}

export interface GlobalConfig {
  readonly node: string;
  readonly datacenter: string;
  /** Absolute. Undefined: nothing is written to disk. */
  readonly dataDir: string | undefined;
  /** Data-plane processes; 0: frontends run in the control process. */
  readonly workers: number;
  /** Client connections accepted at once by all frontends together. */
  readonly maxconn: number;
  readonly log: {
    readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
    readonly format: 'json' | 'pretty';
  };
  /** Undefined when the file says `stats: off`. */
  readonly stats: { readonly bind: BindAddress } | undefined;
  /** From TERM on: how long connections are still accepted, ms (HAProxy: grace). */
  readonly grace: number;
  /** Idle client connections are ended over this time when their process is to end, ms (HAProxy: close-spread-time). */
  readonly closeSpread: number;
  /** How long a graceful stop may take, and requests of a worker that was replaced, ms (HAProxy: hard-stop-after). */
  readonly hardStopAfter: number;
  /** Absolute. Where the process id is told; undefined: nowhere (HAProxy: pidfile). */
  readonly pidfile: string | undefined;
}

export interface RegistryConfig {
  /** Undefined: that door is shut. */
  readonly http: BindAddress | undefined;
  readonly access: RegistryAccess;
  readonly dns: BindAddress | undefined;
  /** The zone served, without a trailing dot: `consul`. */
  readonly domain: string;
  readonly store: { readonly kind: 'memory' } | { readonly kind: 'sqlite'; readonly file: string };
  /** Definition files and folders of them, as they are written: relative ones start from the current folder. */
  readonly services: readonly string[];
  /** `files`: only checks from definition files may run programs; `api`: whoever reaches the API may. */
  readonly scriptChecks: 'off' | 'files' | 'api';
  /** Advertised as this node's address, for services registered without one. */
  readonly nodeAddress: string;
  readonly dnsConfig: DnsConfig;
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

/** Outside nameservers. The id `builtin` is reserved for the registry in this process. */
export interface ResolversConfig {
  readonly id: string;
  readonly nameservers: readonly {
    readonly name: string;
    readonly transport: 'udp' | 'tcp';
    readonly host: string;
    readonly port: number;
  }[];
  /** Sends per resolution before it counts as failed. */
  readonly resolveRetries: number;
  readonly timeoutRetry: number;
  /** EDNS0 size announced, bytes. */
  readonly acceptedPayloadSize: number;
}

export interface FrontendConfig {
  readonly name: string;
  readonly mode: 'http' | 'tcp';
  readonly bind: readonly FrontendBind[];
  readonly maxconn: number;
  readonly timeout: FrontendTimeouts;
  readonly options: FrontendOptions;
  /** In file order. */
  readonly httpRequest: readonly HttpRequestRule[];
  readonly useBackend: readonly { readonly backend: string; readonly condition: Condition | undefined }[];
  readonly defaultBackend: string | undefined;
}

/** Milliseconds. */
export interface FrontendTimeouts {
  /** Longest silence of the client while it is its turn to send or read. */
  readonly client: number;
  /** From the first byte of a request to the end of its head. */
  readonly httpRequest: number;
  /** Idle time allowed between two requests of one connection. */
  readonly httpKeepAlive: number;
  /** Idle time of an upgraded or TCP connection. */
  readonly tunnel: number;
}

export interface FrontendOptions {
  /** Add X-Forwarded-For, -Proto and -Host. */
  readonly forwardfor: boolean;
  /** One access-log line in HAProxy's httplog or tcplog format for each request or connection. */
  readonly accessLog: 'off' | 'haproxy' | 'json';
  /** What carries requests: Vane's own parser, or Node's and http-proxy-3. */
  readonly httpLane: 'direct' | 'compat';
}

export interface BackendConfig {
  readonly name: string;
  readonly mode: 'http' | 'tcp';
  readonly balance: BalanceAlgorithm;
  readonly servers: readonly ServerSource[];
  /** Attempts after the first. */
  readonly retries: number;
  /** False: retries stay on the server that was picked first. */
  readonly redispatch: boolean;
  readonly timeout: {
    readonly connect: number;
    readonly server: number;
    /** Waiting for a free server. */
    readonly queue: number;
    readonly tunnel: number;
    readonly check: number | undefined;
  };
  /** Requests waiting for a server, at most; 0: 1024. */
  readonly maxqueue: number;
  /** Active HTTP check sent instead of a bare connect. */
  readonly httpchk: { readonly method: string; readonly uri: string } | undefined;
}

export type BalanceAlgorithm =
  | { readonly kind: 'roundrobin' }
  | { readonly kind: 'leastconn' }
  | { readonly kind: 'random'; readonly draws: number };

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

/** A condition: any of the groups, each of which needs all of its terms (HAProxy: `if a b || c`). */
export interface Condition {
  readonly unless: boolean;
  readonly anyOf: readonly (readonly Term[])[];
}

export interface Term {
  readonly negated: boolean;
  /** A named acl is resolved to all tests declared under its name; one that holds is enough. */
  readonly tests: readonly AclTest[];
}

/** One `acl` declaration or anonymous `{ … }`: sample fetch, match method, patterns (any may match). */
export interface AclTest {
  readonly fetch:
    | {
        readonly kind:
          | 'path'
          | 'url'
          | 'query'
          | 'method'
          | 'src'
          | 'ssl_fc'
          | 'always_true'
          | 'always_false';
      }
    | { readonly kind: 'hdr'; readonly header: string };
  readonly match: 'str' | 'beg' | 'end' | 'sub' | 'dir' | 'dom' | 'reg' | 'ip' | 'found' | 'bool';
  readonly ignoreCase: boolean;
  readonly patterns: readonly string[];
}

export type HttpRequestRule = { readonly condition: Condition | undefined } & (
  | { readonly action: 'deny'; readonly status: number }
  | {
      readonly action: 'return';
      readonly status: number;
      readonly contentType: string | undefined;
      readonly body: string;
    }
  | {
      readonly action: 'redirect';
      readonly type: 'location' | 'prefix' | 'scheme';
      readonly to: string;
      readonly code: number;
    }
  | {
      readonly action: 'set-header' | 'add-header';
      readonly header: string;
      readonly value: string;
    }
  | { readonly action: 'del-header'; readonly header: string }
  | { readonly action: 'set-path'; readonly value: string }
);

/** An endpoint that leads to the MySQL master. Durations are ms. */
export interface MysqlVipConfig {
  readonly name: string;
  readonly bind: readonly BindAddress[];
  readonly bindRo: readonly BindAddress[];
  /** The registry gets `<service>-master`, `<service>-slave` and `<service>-vip`. */
  readonly service: string;
  /** In file order; exactly one is the master. */
  readonly servers: readonly MysqlServerConfig[];
  readonly monitor: {
    readonly user: string;
    readonly password: string;
    readonly interval: number;
    readonly timeout: number;
    readonly fall: number;
    readonly rise: number;
  };
  readonly failover: {
    readonly mode: 'degrade';
    /** How long a slave that still hears from the master keeps clients from being led away. */
    readonly unreachableWait: number;
    readonly maxStale: number;
  };
  readonly failback: {
    readonly policy: 'automatic' | 'after-stable' | 'manual';
    readonly stable: number;
  };
  readonly hold: { readonly time: number; readonly max: number };
  readonly drain: number;
  /** For a server to accept a connection and to greet. */
  readonly connectTimeout: number;
  readonly maxconn: number;
}

export interface MysqlServerConfig {
  readonly id: string;
  readonly role: 'master' | 'slave';
  readonly host: string;
  readonly port: number;
}
