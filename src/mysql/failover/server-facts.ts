import type { GtidState } from './gtid.ts';

/** Times are clock ms, durations ms, throughout. */

export type Role = 'master' | 'slave';

/** What a server said of itself when it was asked. */
export interface Reading {
  readonly flavor: 'mariadb' | 'mysql';
  readonly version: string;
  /** It takes no writes of ordinary users: read_only, super_read_only or offline_mode. */
  readonly readOnly: boolean;
  readonly gtid: GtidState | undefined;
  /** Undefined: it replicates from nobody. */
  readonly replication: Replication | undefined;
}

export interface Replication {
  /** `yes`: connected to the master, and receiving. `connecting`: it tries to. */
  readonly io: 'yes' | 'connecting' | 'no';
  readonly sql: boolean;
  /** How far it is behind, ms; undefined: unknown, which is as far as can be. */
  readonly lag: number | undefined;
  readonly error: string;
}

/**
 * Why a server could not be asked. Only the first two say that it may be gone: `overloaded`, `blocked` (this proxy is
 * shut out) and `misconfigured` (the login of the monitor, or this machine) are answers of a server that lives.
 */
export type FailureClass = 'dead' | 'timeout' | 'overloaded' | 'blocked' | 'misconfigured';

export const FAILURE_CLASSES: readonly FailureClass[] = [
  'dead',
  'timeout',
  'overloaded',
  'blocked',
  'misconfigured',
];

export type ProbeOutcome =
  | { readonly ok: true; readonly reading: Reading }
  | { readonly ok: false; readonly class: FailureClass; readonly message: string };

export interface HealthPolicy {
  /** Failures in a row until a server is down; refused or reset connections count for more. */
  readonly fall: number;
  readonly fallRefused: number;
  /** Successes in a row until a server that was down is up. */
  readonly rise: number;
  /** Bytes of its sessions younger than this: it is slow, not gone, and gets twice the failures. */
  readonly inbandVeto: number;
}

/** What is known of one server; a new object after every probe. */
export interface ServerFacts {
  readonly id: string;
  readonly role: Role;
  /** Undefined: not known yet. */
  readonly up: boolean | undefined;
  /** In a row. */
  readonly failures: number;
  readonly refusals: number;
  readonly successes: number;
  /** When the first of the failures in a row was. */
  readonly failingSince: number | undefined;
  /** When the first of the successes in a row was; undefined: the last probe failed. */
  readonly steadySince: number | undefined;
  /** The last good answer, and when it came. */
  readonly reading: Reading | undefined;
  readonly readAt: number | undefined;
  /** What is wrong, as the last probe found it. */
  readonly trouble: { readonly class: FailureClass; readonly message: string } | undefined;
  /** A slave had all that its master had at this moment. */
  readonly freshAt: number | undefined;
  /** Since when the registry has lost the agent of its node; undefined: it has it, or nobody has asked. */
  readonly agentLostSince: number | undefined;
}

export function newServerFacts(id: string, role: Role): ServerFacts {
  return {
    id,
    role,
    up: undefined,
    failures: 0,
    refusals: 0,
    successes: 0,
    failingSince: undefined,
    steadySince: undefined,
    reading: undefined,
    readAt: undefined,
    trouble: undefined,
    freshAt: undefined,
    agentLostSince: undefined,
  };
}

/**
 * Counts one probe.
 * @param heardAt when bytes last came from the server in a client's session
 */
export function withProbe(
  facts: ServerFacts,
  outcome: ProbeOutcome,
  now: number,
  policy: HealthPolicy,
  heardAt: number | undefined,
): ServerFacts {
  if (outcome.ok) {
    const successes = facts.successes + 1;
    // A server that nobody has found down needs one good answer only.
    const needed = facts.up === undefined ? 1 : policy.rise;
    const { replication } = outcome.reading;
    const current = replication?.io === 'yes' && replication.sql && replication.lag !== undefined;
    return {
      ...facts,
      up: facts.up === true || successes >= needed ? true : facts.up,
      failures: 0,
      refusals: 0,
      successes,
      failingSince: undefined,
      steadySince: facts.steadySince ?? now,
      reading: outcome.reading,
      readAt: now,
      trouble: undefined,
      freshAt: current ? now - (replication.lag ?? 0) : facts.freshAt,
    };
  }
  const trouble = { class: outcome.class, message: outcome.message };
  const failed = { ...facts, successes: 0, steadySince: undefined, trouble };
  // It has answered, if only to refuse: it is not gone.
  if (!votes(outcome.class)) return { ...failed, failures: 0, refusals: 0, failingSince: undefined };
  const failures = facts.failures + 1;
  const refusals = outcome.class === 'dead' ? facts.refusals + 1 : 0;
  const heard = heardAt !== undefined && now - heardAt < policy.inbandVeto;
  const fall = heard ? policy.fall * 2 : policy.fall;
  const down = refusals >= policy.fallRefused || failures >= fall;
  return {
    ...failed,
    up: down ? false : facts.up,
    failures,
    refusals,
    failingSince: facts.failingSince ?? now,
  };
}

function votes(failure: FailureClass): boolean {
  return failure === 'dead' || failure === 'timeout';
}

export function isWritable({ up, reading }: ServerFacts): boolean {
  return up === true && reading?.readOnly === false;
}

/**
 * How old what a slave shows may be, ms: while its master lives, the time since it last had all; after the master's
 * death nothing becomes older. Infinite when that is not known.
 */
export function staleness(slave: ServerFacts, master: ServerFacts, now: number): number {
  if (slave.freshAt === undefined) {
    // Nobody has seen the master alive. A slave that has lost it and has executed all it got is as good as any.
    const { replication } = slave.reading ?? {};
    const isLeft = master.up !== true && replication?.io === 'connecting' && replication.sql;
    return isLeft ? 0 : Number.POSITIVE_INFINITY;
  }
  const until = master.up === true ? now : (master.readAt ?? slave.freshAt);
  return Math.max(0, until - slave.freshAt);
}
