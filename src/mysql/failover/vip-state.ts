import {
  type FailureClass,
  type HealthPolicy,
  newServerFacts,
  type ProbeOutcome,
  type Role,
  type ServerFacts,
} from './server-facts.ts';

/**
 * - `INIT`: nothing is known yet. `MASTER`: the master is the target. `SUSPECT`: it still is, but probes fail.
 * - `DEGRADED`: a slave is the target, read-only. `RECOVERING`: it still is, but the master is back.
 * - `SWITCHING`: the old target is being let go of; there is none. `NONE`: there is no server to be one.
 */
export type Phase = 'INIT' | 'MASTER' | 'SUSPECT' | 'DEGRADED' | 'RECOVERING' | 'NONE' | 'SWITCHING';

export const PHASES: readonly Phase[] = [
  'INIT',
  'MASTER',
  'SUSPECT',
  'DEGRADED',
  'RECOVERING',
  'NONE',
  'SWITCHING',
];

export interface FailoverPolicy extends HealthPolicy {
  /** How long a slave that still hears from the master keeps it from being given up. */
  readonly unreachableWait: number;
  /** A slave that shows older things than this is no replacement. */
  readonly maxStale: number;
  readonly failback: {
    readonly policy: 'automatic' | 'after-stable' | 'manual';
    /** How long the master must have been well; doubles with each move within the hour, up to `maxStable`. */
    readonly stable: number;
    readonly maxStable: number;
    /** After so many moves within an hour nothing goes back any more until the hour has passed. */
    readonly maxPerHour: number;
  };
  /** How long letting go of the old target may take. */
  readonly releaseWithin: number;
}

/** Something that needs a human, for as long as it lasts. */
export type Alarm =
  | { readonly kind: 'split' | 'no-writer' | 'frozen'; readonly why: string }
  | {
      readonly kind: 'slave-writable' | 'diverged' | 'stale' | FailureClass;
      readonly server: string;
      readonly why: string;
    };

export interface VipState {
  readonly phase: Phase;
  /** Of the phase. */
  readonly since: number;
  /** Why it is in this phase. */
  readonly reason: string;
  /** Goes up by one whenever a server becomes the target; at most one server is the target of an epoch. */
  readonly epoch: number;
  /** Whom clients are led to. */
  readonly target: string | undefined;
  /** The last target there was. */
  readonly owner: string | undefined;
  /** While switching: who is to be the target. */
  readonly next: string | undefined;
  /**
   * Why the master is not what it was when a slave took its place, as it was found when the two could last be compared;
   * undefined: it is, or no slave took its place.
   */
  readonly parted: string | undefined;
  /** Of the last hour. */
  readonly moves: readonly number[];
  /** In the order of the file. */
  readonly servers: readonly ServerFacts[];
  readonly alarms: readonly Alarm[];
}

export type Observation =
  | {
      readonly kind: 'probe';
      readonly server: string;
      readonly outcome: ProbeOutcome;
      /** When bytes last came from the server in a client's session. */
      readonly heardAt: number | undefined;
    }
  /** The target of this epoch has been let go of: no registration names it any more. */
  | { readonly kind: 'released'; readonly epoch: number }
  /** Time has passed. */
  | { readonly kind: 'tick' };

/** What has happened, for the log. */
export type VipEvent =
  | {
      readonly kind: 'phase';
      readonly from: Phase;
      readonly to: Phase;
      readonly epoch: number;
      readonly target: string | undefined;
      readonly reason: string;
    }
  | { readonly kind: 'alarm' | 'alarm-over'; readonly alarm: Alarm };

export function newVipState(
  servers: readonly { readonly id: string; readonly role: Role }[],
  now: number,
): VipState {
  return {
    phase: 'INIT',
    since: now,
    reason: 'nothing is known yet',
    epoch: 0,
    target: undefined,
    owner: undefined,
    next: undefined,
    parted: undefined,
    moves: [],
    servers: servers.map(({ id, role }) => newServerFacts(id, role)),
    alarms: [],
  };
}

export function masterOf({ servers }: Pick<VipState, 'servers'>): ServerFacts {
  const master = servers.find(({ role }) => role === 'master');
  if (!master) throw new Error('a mysql-vip needs a master');
  return master;
}

export function serverOf(
  { servers }: Pick<VipState, 'servers'>,
  id: string | undefined,
): ServerFacts | undefined {
  return servers.find((server) => server.id === id);
}
