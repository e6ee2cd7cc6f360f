import type { ObserveConfig, SendProxy, ServerTls } from '../config/runtime/servers.ts';

/** What a source says of a server and the data plane needs to know, but for where it is. */
export interface ServerTraits {
  /** What people see in logs and metrics: the registry's instance id, else the address. */
  readonly name: string;
  readonly weight: number;
  /** Lower tiers are used first; others only when no lower one has an open server (SRV priority). */
  readonly tier: number;
  /** Used only when no other server is open. */
  readonly backup: boolean;
  /** Requests or connections at once; 0: no limit. */
  readonly maxconn: number;
  /** What `maxconn` begins with while its backend has little to do; undefined: the limit is always the same. */
  readonly minconn?: number | undefined;
  /** Work that waits for this server and no other, at most; undefined: as much as the backend's queue takes. */
  readonly maxqueue?: number | undefined;
  /** Control wants to hear of what its work meets. */
  readonly observe?: ObserveConfig | undefined;
  /** What a cookie says for it; undefined: a value made from its name. */
  readonly cookie?: string | undefined;
  /** Undefined: connections go out in the clear. */
  readonly tls?: ServerTls | undefined;
  /** Connections begin with a head of the PROXY protocol; undefined: they do not. */
  readonly sendProxy?: SendProxy | undefined;
}

/**
 * A server as the data plane needs it: identity, how much of the work it should get, and whether it may have
 * new work at all. Its name is unique in the backend. Plain data, so that it can be sent to another process.
 */
export interface ServerSnapshot extends ServerTraits {
  /** Identity within the backend: see {@link serverId}. Survives reloads. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** Draining for an operator: clients that belong to it still come to it. */
  readonly keeps?: boolean | undefined;
  /** Place of the entry of the configuration that it comes from: servers of lower ones come first. */
  readonly rank: number;
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

/** What became of the servers of one backend with one revision. */
export interface ServerChange {
  readonly backend: string;
  /** After the change, and before it: who knows another one has missed something, and needs the whole set. */
  readonly revision: number;
  readonly since: number;
  /** Those that are new, or not as they were; new ones come after all others of their rank. */
  readonly servers: readonly ServerSnapshot[];
  /** Ids of those that are gone. */
  readonly gone: readonly string[];
  /** Ids of those whose work is ended although they stay. */
  readonly cut?: readonly string[];
}

/**
 * The identity of a server: `10.0.0.1:80`, `[::1]:80`; with the instance, where a registry says which one it is,
 * `10.0.0.1:80/web-1`. So another instance that gets the same address and port is another server, with counters,
 * a health and an operator's word of its own, and so is an instance that comes back on another port.
 *
 * @param instance what an instance is called by nobody but its address and port means nothing
 */
export function serverId(address: string, port: number, instance?: string): string {
  const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return instance === undefined || instance === where ? where : `${where}/${instance}`;
}

export function sameTls(a: ServerTls | undefined, b: ServerTls | undefined): boolean {
  if (!a || !b) return a === b;
  return a === b || (a.verify === b.verify && a.name === b.name && a.ca === b.ca);
}

function sameObserve(a: ObserveConfig | undefined, b: ObserveConfig | undefined): boolean {
  return a === b || (a?.layer === b?.layer && a?.limit === b?.limit && a?.onError === b?.onError);
}

export function sameTraits(a: ServerTraits, b: ServerTraits): boolean {
  return (
    a.name === b.name &&
    a.weight === b.weight &&
    a.tier === b.tier &&
    a.backup === b.backup &&
    a.maxconn === b.maxconn &&
    a.minconn === b.minconn &&
    a.maxqueue === b.maxqueue &&
    sameObserve(a.observe, b.observe) &&
    a.cookie === b.cookie &&
    a.sendProxy === b.sendProxy &&
    sameTls(a.tls, b.tls)
  );
}

/** Of one server: its address cannot differ. */
export function sameSnapshot(a: ServerSnapshot, b: ServerSnapshot): boolean {
  if (a === b) return true;
  return sameTraits(a, b) && a.rank === b.rank && a.keeps === b.keeps && a.admission === b.admission;
}
