import type { Command } from '../processes.ts';

/** What a proxy shall do in a scenario. */
export interface Task {
  readonly mode: 'http' | 'tcp' | 'dns';
  /** `host:port` of each server behind the only backend; of each instance of the service {@link DNS_NAME}. */
  readonly servers: readonly string[];
  readonly webSocket?: boolean;
  /** Clients come over TLS; {@link writeCertificate} makes the certificate. */
  readonly tls?: boolean;
  /** Those that ask for it get HTTP/2. */
  readonly h2?: boolean;
  /** Work in processes of their own, as many as the peer is to have. */
  readonly workers?: boolean;
  /** Write a line for each request. */
  readonly accessLog?: boolean;
  /** Many backends and rules: the path `/rN/` leads to backend N. */
  readonly routes?: { readonly backends: number; readonly rules: number };
  /** Let servers come and go while it runs, by the means that the proxy has for that; see {@link changingBackend}. */
  readonly changes?: boolean;
}

/** The name that a DNS server is asked for. */
export const DNS_NAME = 'web.service.consul';

/** The backend whose servers come and go: that of the last rule, or the only one. */
export function changingBackend({ routes }: Task): string {
  return `b${(routes?.rules ?? 1) - 1}`;
}

/** Where a proxy shall be, and what it may use. Ports are free ones of loopback. */
export interface Place {
  /** Only its own, and deleted after use. */
  readonly folder: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly controlPort: number;
  /** The Node that Vane is pinned to. */
  readonly node: string;
}

/** How servers are made to come and go: Consul's API, or HAProxy's runtime socket. */
export type Control =
  | { readonly kind: 'registry'; readonly port: number }
  | { readonly kind: 'socket'; readonly path: string };

/** A proxy to measure. */
export interface Peer {
  readonly name: string;
  readonly title: string;
  /** Why it cannot take part on this machine and how to mend that, or undefined. */
  missing(): string | undefined;
  /** Undefined where it has none of its own. */
  version(): string | undefined;
  /** Writes its configuration into the place and says how to start it, in the foreground. */
  prepare(task: Task, place: Place): { command: Command; control?: Control };
}
