import type { SendProxy } from '../../config/runtime/servers.ts';
import type { Clock } from '../../core/clock.ts';
import type { HeldTotals, HoldGate } from './hold-gate.ts';
import type { KilledCounts, Orphans } from './orphans.ts';

/** `rw` leads to the target of the VIP, `ro` to a slave where there is one. */
export type Side = 'rw' | 'ro';

export interface Server {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Sessions begin with a head of the PROXY protocol that tells whose they are; undefined: they do not. */
  readonly sendProxy?: SendProxy;
}

export interface EndpointTimes {
  /** How long a client may be held in all, ms. */
  readonly hold: number;
  /** For a server to accept a connection and to greet, ms. */
  readonly connect: number;
}

/** What a client's session needs of the VIP it belongs to. */
export interface Site {
  readonly clock: Clock;
  readonly gate: HoldGate;
  readonly times: EndpointTimes;
  readonly totals: EndpointTotals;
  readonly orphans: Orphans;
  /** Whom to lead a client to now; undefined: nobody. Servers that were tried already come last. */
  route(side: Side, tried: ReadonlySet<string>): Server | undefined;
  /**
   * Something about this server looks wrong from a session.
   * @param blocked it lets nobody of this host in (error 1129)
   */
  suspect(server: string, blocked?: boolean): void;
  /** Bytes have come from it. */
  heard(server: string): void;
}

/** How sessions ended that Vane has ended: with an error first, or without a word. */
export type Ending = 'told' | 'closed';

export interface EndpointTotals {
  readonly connections: Record<Side, number>;
  readonly held: HeldTotals;
  readonly ended: Record<Ending, number>;
  /** Of those closed, sessions that waited for an answer, or may have: nobody knows what became of that. */
  unknown: number;
  /** What became of sessions that were left at their server: ended by KILL, gone, or not to be ended. */
  readonly orphans: { -readonly [K in keyof KilledCounts]: number };
  /** Clients that left, or talked nonsense, where a login was due. */
  abortedLogins: number;
}

export function newEndpointTotals(): EndpointTotals {
  return {
    connections: { rw: 0, ro: 0 },
    held: { served: 0, late: 0, full: 0, left: 0 },
    ended: { told: 0, closed: 0 },
    unknown: 0,
    orphans: { killed: 0, gone: 0, refused: 0 },
    abortedLogins: 0,
  };
}

export function countOrphans({ orphans }: EndpointTotals, { killed, gone, refused }: KilledCounts): void {
  orphans.killed += killed;
  orphans.gone += gone;
  orphans.refused += refused;
}
