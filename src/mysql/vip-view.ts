import type { EndpointTotals, Server, Side } from './endpoint/site.ts';
import { failbackBlock } from './failover/judgement.ts';
import { isWritable, type ServerFacts, staleness } from './failover/server-facts.ts';
import { type FailoverPolicy, masterOf, type VipState } from './failover/vip-state.ts';
import type { MysqlServerView, MysqlVipView } from './view.ts';
import type { VipTally } from './vip-tally.ts';

export interface ViewedVip {
  readonly name: string;
  readonly state: VipState;
  readonly policy: FailoverPolicy;
  readonly now: number;
  readonly servers: ReadonlyMap<string, Server>;
  readonly sessions: { readonly all: number; readonly of: (side: Side, server: string) => number };
  readonly held: number;
  readonly totals: EndpointTotals;
  readonly tally: VipTally;
}

/** One VIP as it is shown. */
export function vipView(vip: ViewedVip): MysqlVipView {
  const { name, state, policy, now, sessions, held, totals, tally } = vip;
  const { phase, reason, since, lead, target, alarms, servers, demoted, standing } = state;
  const { moves, lastFailover, unavailable } = tally.read(now);
  return {
    ...{ name, phase, reason, age: now - since, lead, target, alarms },
    epoch: epochOf(state),
    ...{ demoted, paused: standing.paused, frozenFor: frozenFor(standing.frozenUntil, now) },
    waitsFor: phase === 'RECOVERING' ? failbackBlock(state, now, policy) : undefined,
    servers: servers.map((facts) => serverView(vip, facts)),
    ...{ sessions: sessions.all, held, totals },
    ...{ moves, lastFailover, unavailable, hooks: tally.hooks },
  };
}

/** A target that is not agreed on is of no epoch. */
function epochOf({ lead, epoch, target, agreed }: VipState): number | undefined {
  const isAgreed = agreed?.epoch === epoch && agreed.target === target;
  return lead === undefined || target === undefined || isAgreed ? epoch : undefined;
}

function frozenFor(until: number | undefined, now: number): MysqlVipView['frozenFor'] {
  if (until === undefined || until <= now) return undefined;
  return Number.isFinite(until) ? until - now : 'ever';
}

function serverView(
  { state, now, servers, sessions, tally }: ViewedVip,
  facts: ServerFacts,
): MysqlServerView {
  const { id, role, up, reading, trouble } = facts;
  const server = servers.get(id);
  const stale = role === 'slave' ? staleness(facts, masterOf(state), now) : undefined;
  return {
    ...{ id, role, up, writable: isWritable(facts), drained: state.standing.drained.includes(id) },
    address: server ? `${server.host}:${server.port}` : '',
    version: reading?.version,
    lag: up === true ? reading?.replication?.lag : undefined,
    staleness: stale !== undefined && Number.isFinite(stale) ? stale : undefined,
    sessions: { rw: sessions.of('rw', id), ro: sessions.of('ro', id) },
    probes: tally.probes(id),
    trouble: trouble?.message,
  };
}
