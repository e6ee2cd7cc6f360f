import {
  type FailureClass,
  type HealthPolicy,
  newServerFacts,
  type ProbeOutcome,
  type Role,
  type ServerFacts,
} from './server-facts.ts';
import { newStanding, type Order, type Standing } from './standing.ts';

/**
 * - `INIT`: nothing is known yet. `MASTER`: the master is the target. `SUSPECT`: it still is, but probes fail.
 * - `DEGRADED`: a slave is the target, read-only. `RECOVERING`: it still is, but the master is back.
 * - `SWITCHING`: the old target is being let go of; there is none. `NONE`: there is no server to be one.
 * - `PROMOTING`: a slave is being made the master; there is no target. `PROMOTED`: it is the master, and the one before
 *   has yet to be made its slave.
 */
export type Phase =
  | 'INIT'
  | 'MASTER'
  | 'SUSPECT'
  | 'DEGRADED'
  | 'RECOVERING'
  | 'NONE'
  | 'SWITCHING'
  | 'PROMOTING'
  | 'PROMOTED';

export const PHASES: readonly Phase[] = [
  'INIT',
  'MASTER',
  'SUSPECT',
  'DEGRADED',
  'RECOVERING',
  'NONE',
  'SWITCHING',
  'PROMOTING',
  'PROMOTED',
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
  /**
   * What it means that the registry has lost the agent of a master's node: it is left although it works; it is a second
   * witness when probes fail; nothing.
   */
  readonly agentLoss: 'failover' | 'confirm' | 'ignore';
  /** For how long an agent must be lost. */
  readonly agentGrace: number;
  /** When a slave may become the master; undefined: never. */
  readonly promote: PromotionPolicy | undefined;
}

export interface PromotionPolicy {
  /** How much older than the master's last words what the slave has may be. */
  readonly maxLag: number;
  /** After a promotion there is none by itself for so long. */
  readonly blockFor: number;
}

/** A slave that is being made the master. */
export interface Promotion {
  readonly server: string;
  /** The master of before works, and hands over; otherwise it is dead. */
  readonly planned: boolean;
}

/**
 * Who decides, of all that share a registry: this proxy, which holds their lock; another; nobody that this one knows of,
 * and then each for itself.
 */
export type Lead = 'self' | 'other' | 'nobody';

export const LEADS: readonly Lead[] = ['self', 'other', 'nobody'];

/** Where all that share a registry are to lead. */
export interface AgreedTarget {
  readonly epoch: number;
  readonly target: string;
  /** The node that has decided it. */
  readonly by: string;
  /** {@link Standing.away} there. */
  readonly away: boolean;
}

/** Something that needs a human, for as long as it lasts. */
export type Alarm =
  | { readonly kind: 'split' | 'no-writer' | 'frozen' | 'not-promoted' | 'alone'; readonly why: string }
  | {
      readonly kind: 'slave-writable' | 'diverged' | 'stale' | 'agent-lost' | FailureClass;
      readonly server: string;
      readonly why: string;
    };

export interface VipState {
  readonly phase: Phase;
  /** Of the phase. */
  readonly since: number;
  /** Why it is in this phase. */
  readonly reason: string;
  /**
   * Goes up whenever a server becomes the target; at most one server is the target of an epoch. Of those that share a
   * registry it is what they have agreed on: who acts alone has a target without an epoch of its own.
   */
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
  /** Undefined: there are no others. */
  readonly lead: Lead | undefined;
  /** Undefined: nothing is agreed yet, or there are no others. */
  readonly agreed: AgreedTarget | undefined;
  /** Since when it would leave where the one that decides leads to, and waits for its word. */
  readonly awaitsSince: number | undefined;
  /** The epoch whose target it has left by itself, without the one that decides. */
  readonly strayed: number | undefined;
  /** What operators have said, for as long as it stands. */
  readonly standing: Standing;
  /** While promoting: whom. */
  readonly promotion: Promotion | undefined;
  /** The master that another was promoted in place of, until it is that one's slave. */
  readonly demoted: string | undefined;
  /** When a server was last promoted. */
  readonly promotedAt: number | undefined;
  /** Why the slave that stands in was not promoted; undefined: it was not tried. */
  readonly notPromoted: string | undefined;
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
  /** The registry has lost, or has again, the agent of this server's node. */
  | { readonly kind: 'agent'; readonly server: string; readonly isLost: boolean }
  /** The target that was left at that moment has been let go of: no registration names it any more. */
  | { readonly kind: 'released'; readonly since: number }
  /** The promotion under way has come to this. `isFollowed`: the master of before is its slave already. */
  | { readonly kind: 'promoted'; readonly isFollowed: boolean }
  | { readonly kind: 'not-promoted'; readonly why: string }
  | { readonly kind: 'lead'; readonly lead: Lead }
  /** The one that decides, be it this proxy, has had it written down. */
  | { readonly kind: 'agreed'; readonly agreed: AgreedTarget }
  /** Another proxy has promoted a server, or taken back its former master. @param promotedAt clock ms */
  | {
      readonly kind: 'told';
      readonly master: string;
      readonly demoted: string | undefined;
      readonly promotedAt: number;
    }
  | { readonly kind: 'order'; readonly order: Order }
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
  | { readonly kind: 'alarm' | 'alarm-over'; readonly alarm: Alarm }
  | { readonly kind: 'lead'; readonly lead: Lead }
  | { readonly kind: 'agreed'; readonly agreed: AgreedTarget };

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
    lead: undefined,
    agreed: undefined,
    awaitsSince: undefined,
    strayed: undefined,
    standing: newStanding(),
    promotion: undefined,
    demoted: undefined,
    promotedAt: undefined,
    notPromoted: undefined,
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
