import type { Clock } from '../../core/clock.ts';
import type { HeldTotals, HoldGate } from './hold-gate.ts';

/** `rw` leads to the target of the VIP, `ro` to a slave where there is one. */
export type Side = 'rw' | 'ro';

export interface Server {
  readonly id: string;
  readonly host: string;
  readonly port: number;
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
  /** Whom to lead a client to now; undefined: nobody. Servers that were tried already come last. */
  route(side: Side, tried: ReadonlySet<string>): Server | undefined;
  /** Something about this server looks wrong from a session. */
  suspect(server: string): void;
  /** Bytes have come from it. */
  heard(server: string): void;
}

/** How sessions ended that Vane has ended: with an error first, or without a word. */
export type Ending = 'told' | 'closed';

export interface EndpointTotals {
  readonly connections: Record<Side, number>;
  readonly held: HeldTotals;
  readonly ended: Record<Ending, number>;
  /** Clients that left, or talked nonsense, where a login was due. */
  abortedLogins: number;
}

export function newEndpointTotals(): EndpointTotals {
  return {
    connections: { rw: 0, ro: 0 },
    held: { served: 0, late: 0, full: 0, left: 0 },
    ended: { told: 0, closed: 0 },
    abortedLogins: 0,
  };
}
