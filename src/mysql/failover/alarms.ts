import { isSplit, recentMoves } from './judgement.ts';
import { errantOf } from './promotion.ts';
import { isWritable, type ServerFacts, staleness } from './server-facts.ts';
import { isFrozen } from './standing.ts';
import {
  type Alarm,
  type FailoverPolicy,
  masterOf,
  serverOf,
  type VipEvent,
  type VipState,
} from './vip-state.ts';

/** All that needs a human at the moment. */
export function alarmsOf(state: VipState, now: number, policy: FailoverPolicy): readonly Alarm[] {
  const { servers, target } = state;
  const master = masterOf(state);
  const alarms: Alarm[] = [];
  if (isSplit(state)) {
    const writable = servers.filter(isWritable).map(({ id }) => id);
    alarms.push({ kind: 'split', why: `${writable.join(' and ')} all take writes` });
  }
  if (target === master.id && master.up === true && master.reading?.readOnly === true) {
    alarms.push({ kind: 'no-writer', why: `${master.id} is read-only` });
  }
  const away = state.owner !== undefined && serverOf(state, state.owner)?.role === 'slave';
  if (isFrozen(state.standing, now)) alarms.push({ kind: 'frozen', why: 'an operator has frozen it' });
  else if (away && recentMoves(state, now).length >= policy.failback.maxPerHour) {
    alarms.push({ kind: 'frozen', why: 'too many moves within an hour' });
  }
  const { lead, agreed } = state;
  if (lead === 'other' && agreed && target !== undefined && target !== agreed.target) {
    alarms.push({ kind: 'alone', why: `${agreed.by} decides, and leads to ${agreed.target}` });
  }
  if (state.parted !== undefined) alarms.push({ kind: 'diverged', server: master.id, why: state.parted });
  if (state.notPromoted !== undefined) alarms.push({ kind: 'not-promoted', why: state.notPromoted });
  const errant = errantOf(state);
  if (errant !== undefined) alarms.push({ kind: 'diverged', server: state.demoted ?? '', why: errant });
  for (const server of servers) alarms.push(...alarmsAbout(server, master, now, policy));
  return alarms;
}

function alarmsAbout(
  server: ServerFacts,
  master: ServerFacts,
  now: number,
  { maxStale, agentLoss }: FailoverPolicy,
): readonly Alarm[] {
  const { id, role, up, trouble } = server;
  if (trouble && trouble.class !== 'dead' && trouble.class !== 'timeout') {
    return [{ kind: trouble.class, server: id, why: trouble.message }];
  }
  if (up === false) return [{ kind: trouble?.class ?? 'dead', server: id, why: trouble?.message ?? 'down' }];
  const alarms: Alarm[] = [];
  if (server.agentLostSince !== undefined && agentLoss !== 'ignore') {
    alarms.push({ kind: 'agent-lost', server: id, why: `the registry has lost the agent of ${id}` });
  }
  if (role !== 'slave' || up !== true) return alarms;
  if (isWritable(server)) alarms.push({ kind: 'slave-writable', server: id, why: `${id} is not read-only` });
  if (staleness(server, master, now) > maxStale) {
    alarms.push({
      kind: 'stale',
      server: id,
      why: server.reading?.replication?.error || 'it does not replicate',
    });
  }
  return alarms;
}

/** What has begun, and what is over. */
export function alarmEvents(before: readonly Alarm[], after: readonly Alarm[]): readonly VipEvent[] {
  const keys = (alarms: readonly Alarm[]) => new Set(alarms.map(keyOf));
  const [had, has] = [keys(before), keys(after)];
  return [
    ...after.filter((alarm) => !had.has(keyOf(alarm))).map((alarm): VipEvent => ({ kind: 'alarm', alarm })),
    ...before
      .filter((alarm) => !has.has(keyOf(alarm)))
      .map((alarm): VipEvent => ({ kind: 'alarm-over', alarm })),
  ];
}

/** One alarm may find other words as it lasts. */
function keyOf(alarm: Alarm): string {
  return 'server' in alarm ? `${alarm.kind} ${alarm.server}` : alarm.kind;
}
