import type { Log } from '../core/log.ts';
import type { KilledCounts } from './endpoint/orphans.ts';
import type { Alarm, Lead, Phase, VipEvent } from './failover/vip-state.ts';

const GOOD: ReadonlySet<Phase> = new Set(['MASTER', 'RECOVERING', 'SWITCHING', 'PROMOTED']);

/** One line for each thing that has happened to a VIP. */
export function logVipEvent(log: Log, vip: string, event: VipEvent): void {
  if (event.kind === 'phase') {
    const { from, to, epoch, target, reason } = event;
    const fields = { vip, from, to, epoch, target, reason };
    const message = `mysql-vip ${vip} ${WORDS[to](target)}`;
    if (GOOD.has(to)) log.info(fields, message);
    else log.warn(fields, message);
    return;
  }
  if (event.kind === 'lead') {
    log.info({ vip, lead: event.lead }, `mysql-vip ${vip} ${LEADS[event.lead]}`);
    return;
  }
  if (event.kind === 'agreed') {
    const { epoch, target, by } = event.agreed;
    log.info({ vip, epoch, target, by }, `mysql-vip ${vip}: agreed on ${target}, as ${by} has decided`);
    return;
  }
  const { alarm } = event;
  const fields = {
    vip,
    alarm: alarm.kind,
    ...('server' in alarm ? { server: alarm.server } : {}),
    why: alarm.why,
  };
  if (event.kind === 'alarm') log.warn(fields, `mysql-vip ${vip} alarm: ${alarmWords(alarm)}`);
  else log.info(fields, `mysql-vip ${vip} alarm is over: ${alarmWords(alarm)}`);
}

/** Sessions that were broken off have been ended at their server, or not. */
export function logOrphans(log: Log, vip: string, server: string, counts: KilledCounts): void {
  const fields = { vip, server, ...counts };
  if (counts.refused === 0) log.info(fields, `mysql-vip ${vip}: sessions left at ${server} are over`);
  else log.warn(fields, `mysql-vip ${vip} may not end sessions left at ${server}: grant CONNECTION ADMIN`);
}

export function logUnblocked(log: Log, vip: string, server: string): void {
  log.warn({ vip, server }, `mysql-vip ${vip}: ${server} had shut this host out, and lets it in again`);
}

const WORDS: Record<Phase, (target: string | undefined) => string> = {
  INIT: () => 'knows nothing yet',
  MASTER: (target) => `leads to the master ${target}`,
  SUSPECT: (target) => `doubts the master ${target}`,
  DEGRADED: (target) => `leads to the slave ${target}, read-only`,
  RECOVERING: () => 'has its master back',
  SWITCHING: () => 'lets go of its target',
  PROMOTING: () => 'makes a slave the master',
  PROMOTED: (target) => `leads to ${target}, which has become the master`,
  NONE: () => 'has no server to lead to',
};

const LEADS: Record<Lead, string> = {
  self: 'decides for all that share its registry',
  other: 'follows another Vane that shares its registry',
  nobody: 'decides for itself: nobody that it knows of decides for all',
};

function alarmWords(alarm: Alarm): string {
  return 'server' in alarm ? `${alarm.server} ${alarm.kind}` : alarm.kind;
}
