import type { ServerTls } from '../config/runtime/servers.ts';

/**
 * A server as the data plane needs it: identity, how much of the work it should get, and whether it may have
 * new work at all. Plain data, so that it can be sent to another process.
 */
export interface ServerSnapshot {
  /** Identity within the backend: `address:port`, IPv6 in brackets. Survives reloads and name changes. */
  readonly id: string;
  /** What people see in logs and metrics: the registry's instance id, else the address. Unique in the backend. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** Lower tiers are used first; others only when no lower one has an open server (SRV priority). */
  readonly tier: number;
  /** Used only when no other server is open. */
  readonly backup: boolean;
  /** Requests or connections at once; 0: no limit. */
  readonly maxconn: number;
  /** Undefined: connections go out in the clear. */
  readonly tls?: ServerTls | undefined;
  /** `open` takes new work; `draining` finishes what it has. A server absent from the list is gone. */
  readonly admission: 'open' | 'draining';
}

/** The servers of one backend, whole: replaces whatever the plane held before. */
export interface ServerSet {
  readonly backend: string;
  /** Rises with every change of this backend's servers. */
  readonly revision: number;
  readonly servers: readonly ServerSnapshot[];
}

/** The identity of a server: `10.0.0.1:80`, `[::1]:80`. */
export function serverId(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function sameTls(a: ServerTls | undefined, b: ServerTls | undefined): boolean {
  if (!a || !b) return a === b;
  return a === b || (a.verify === b.verify && a.name === b.name && a.ca === b.ca);
}
