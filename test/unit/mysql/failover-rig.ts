import { mariadbGtids } from '../../../src/mysql/failover/gtid.ts';
import { nextState } from '../../../src/mysql/failover/next-state.ts';
import { outcomeOf } from '../../../src/mysql/failover/orders.ts';
import type { FailureClass, ProbeOutcome } from '../../../src/mysql/failover/server-facts.ts';
import type { Order } from '../../../src/mysql/failover/standing.ts';
import {
  type FailoverPolicy,
  newVipState,
  type Observation,
  type VipEvent,
  type VipState,
} from '../../../src/mysql/failover/vip-state.ts';

export const POLICY: FailoverPolicy = {
  fall: 3,
  fallRefused: 2,
  rise: 2,
  inbandVeto: 2_000,
  unreachableWait: 5_000,
  maxStale: 3_600_000,
  failback: { policy: 'after-stable', stable: 60_000, maxStable: 3_600_000, maxPerHour: 4 },
  releaseWithin: 1_000,
  promote: undefined,
  agentLoss: 'failover',
  agentGrace: 2_000,
};

/** The same, in mode `promote`. */
export const PROMOTE: Partial<FailoverPolicy> = { promote: { maxLag: 5_000, blockFor: 3_600_000 } };

export interface Said {
  readonly readOnly?: boolean;
  readonly io?: 'yes' | 'connecting' | 'no';
  readonly sql?: boolean;
  /** ms; `null`: unknown. */
  readonly lag?: number | null;
  readonly gtid?: string;
}

/** A good answer: of a master, or with `io` of a slave. */
export function good({ readOnly, io, sql = true, lag = 0, gtid = '0-1-10' }: Said = {}): ProbeOutcome {
  return {
    ok: true,
    reading: {
      flavor: 'mariadb',
      version: '10.11.19-MariaDB',
      readOnly: readOnly ?? io !== undefined,
      gtid: mariadbGtids(gtid),
      replication: io && { io, sql, lag: lag ?? undefined, error: '' },
    },
  };
}

export function bad(kind: FailureClass = 'dead'): ProbeOutcome {
  return { ok: false, class: kind, message: kind };
}

/** The failover of a master `db1` and slaves, whose time moves when told; each observation 100 ms after the last. */
export class Failover {
  state: VipState;
  readonly events: VipEvent[] = [];
  readonly policy: FailoverPolicy;
  now = 0;

  constructor(policy: Partial<FailoverPolicy> = {}, slaves: readonly string[] = ['db2']) {
    this.policy = { ...POLICY, ...policy };
    const servers = [
      { id: 'db1', role: 'master' as const },
      ...slaves.map((id) => ({ id, role: 'slave' as const })),
    ];
    this.state = newVipState(servers, 0);
  }

  /** `MASTER db1 1`: phase, target and epoch. */
  get is(): string {
    const { phase, target = '-', epoch } = this.state;
    return `${phase} ${target} ${epoch}`;
  }

  get alarms(): readonly string[] {
    return this.state.alarms.map((alarm) =>
      'server' in alarm ? `${alarm.kind} ${alarm.server}` : alarm.kind,
    );
  }

  see(observation: Observation): this {
    this.now += 100;
    const { state, events } = nextState(this.state, observation, this.now, this.policy);
    this.state = state;
    this.events.push(...events);
    return this;
  }

  probe(server: string, outcome: ProbeOutcome, heardAt?: number): this {
    return this.see({ kind: 'probe', server, outcome, heardAt });
  }

  released(): this {
    return this.see({ kind: 'released', since: this.state.since });
  }

  tick(): this {
    return this.see({ kind: 'tick' });
  }

  order(order: Order): this {
    return this.see({ kind: 'order', order });
  }

  /** Why it would be refused; undefined: it would not. */
  refuses(order: Order): string | undefined {
    const outcome = outcomeOf(order, this.state, this.now, this.policy);
    return 'refused' in outcome ? outcome.refused : undefined;
  }

  /** Lets time pass, with good answers of both every second, the slave's before the master's. */
  pass(ms: number, master: ProbeOutcome = good(), slave: ProbeOutcome = good({ io: 'yes' })): this {
    for (const end = this.now + ms; this.now < end; this.now += 800) {
      this.probe('db2', slave).probe('db1', master);
    }
    return this;
  }

  /** Both answer. */
  begin(): this {
    return this.probe('db2', good({ io: 'yes' })).probe('db1', good());
  }

  /** The master is gone, the slave has lost it, and clients are led to the slave. */
  fail(): this {
    return this.probe('db1', bad())
      .probe('db2', good({ io: 'connecting', lag: null }))
      .probe('db1', bad())
      .released();
  }
}
