import type { EndpointTotals } from './endpoint/site.ts';
import type { FailureClass, Role } from './failover/server-facts.ts';
import type { Alarm, Lead, Phase } from './failover/vip-state.ts';

/** One VIP at one moment, for whoever shows it. Durations are ms. */
export interface MysqlVipView {
  readonly name: string;
  readonly phase: Phase;
  readonly reason: string;
  /** Of the phase. */
  readonly age: number;
  /** Undefined: what it leads to is not what those that share its registry have agreed on. */
  readonly epoch: number | undefined;
  /** Who decides, of those that share a registry; undefined: none do. */
  readonly lead: Lead | undefined;
  readonly target: string | undefined;
  /** What keeps clients from being led back to a master that is up; undefined: nothing, or there is nothing to do. */
  readonly waitsFor: string | undefined;
  /** Nobody is led elsewhere for so long; `ever`: until somebody ends it. Undefined: clients are led. */
  readonly frozenFor: number | 'ever' | undefined;
  /** New clients are held. */
  readonly paused: boolean;
  /** A master of before, in whose place another was promoted, and which does not follow it yet. */
  readonly demoted: string | undefined;
  readonly alarms: readonly Alarm[];
  readonly servers: readonly MysqlServerView[];
  readonly sessions: number;
  readonly held: number;
  readonly totals: EndpointTotals;
  /** Times clients were led to another server than before, by the role of the one they were led to. */
  readonly moves: Readonly<Record<Role, number>>;
  /** From the first sign of trouble to the new target, at the last move away from a server that had failed. */
  readonly lastFailover: number | undefined;
  /** Time without a target, in all, the start apart. */
  readonly unavailable: number;
  /** Programs that were run, by hook and by how that went. */
  readonly hooks: readonly HookView[];
}

export interface HookView {
  readonly hook: string;
  readonly result: string;
  readonly runs: number;
  /** Of all of them, ms. */
  readonly time: number;
}

/** What an order has come to. */
export type OrderAnswer = { readonly refused: string } | { readonly will: string };

export interface MysqlServerView {
  readonly id: string;
  readonly role: Role;
  readonly address: string;
  readonly up: boolean | undefined;
  readonly writable: boolean;
  /** An operator does not want it used. */
  readonly drained: boolean;
  readonly version: string | undefined;
  /** Undefined: unknown, or no slave. */
  readonly lag: number | undefined;
  readonly staleness: number | undefined;
  readonly sessions: { readonly rw: number; readonly ro: number };
  readonly probes: { readonly ok: number; readonly failed: Readonly<Record<FailureClass, number>> };
  readonly trouble: string | undefined;
}
