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
}

/** A TCP or UDP address to listen on. Port 0 lets the system choose. */
export interface BindAddress {
  readonly host: string;
  readonly port: number;
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
  /** How long a graceful stop waits for running requests, ms (HAProxy: hard-stop-after). */
  readonly hardStopAfter: number;
}

export interface RegistryConfig {
  /** Undefined: that door is shut. */
  readonly http: BindAddress | undefined;
  readonly dns: BindAddress | undefined;
  /** The zone served, without a trailing dot: `consul`. */
  readonly domain: string;
  readonly store: { readonly kind: 'memory' } | { readonly kind: 'sqlite'; readonly file: string };
  /** `files`: only checks from definition files may run programs; `api`: whoever reaches the API may. */
  readonly scriptChecks: 'off' | 'files' | 'api';
  /** Advertised as this node's address, for services registered without one. */
  readonly nodeAddress: string;
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
  readonly bind: readonly BindAddress[];
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
    | { readonly kind: 'path' | 'url' | 'query' | 'method' | 'src' | 'always_true' | 'always_false' }
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
