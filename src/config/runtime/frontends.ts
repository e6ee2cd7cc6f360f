import type { FrontendBind } from './binds.ts';
import type { Condition, HttpRequestRule } from './rules.ts';

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
  /** Requests at once over one connection of HTTP/2. */
  readonly maxConcurrentStreams: number;
}
