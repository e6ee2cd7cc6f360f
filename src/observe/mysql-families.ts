import { FAILURE_CLASSES } from '../mysql/failover/server-facts.ts';
import { LEADS, PHASES } from '../mysql/failover/vip-state.ts';
import type { MysqlServerView, MysqlVipView } from '../mysql/view.ts';
import type { Family, Sample } from './exposition.ts';

/** What each `mysql-vip` does: HAProxy has nothing of the kind. */
export function mysqlVipFamilies(vips: readonly MysqlVipView[]): readonly Family[] {
  const of = (
    type: Family['type'],
    name: string,
    help: string,
    read: (vip: MysqlVipView) => readonly Sample[],
  ): Family => ({
    name: `vane_mysql_${name}`,
    help,
    type,
    samples: () =>
      vips.flatMap((vip) =>
        read(vip).map(({ labels, value }) => ({ labels: { vip: vip.name, ...labels }, value })),
      ),
  });
  return [
    of('gauge', 'state', 'State of the failover, by state.', ({ phase }) =>
      PHASES.map((state) => sample({ state }, state === phase ? 1 : 0)),
    ),
    of('gauge', 'target', '1 for the server that clients are led to.', ({ servers, target }) =>
      servers.map(({ id }) => sample({ server: id }, id === target ? 1 : 0)),
    ),
    of('counter', 'epoch', 'Goes up whenever a server becomes the target.', ({ epoch }) =>
      epoch === undefined ? [] : [sample({}, epoch)],
    ),
    of('gauge', 'lead', 'Who decides, of several Vanes that share a registry.', ({ lead }) =>
      lead === undefined ? [] : LEADS.map((who) => sample({ lead: who }, who === lead ? 1 : 0)),
    ),
    of('counter', 'moves_total', 'Times clients were led to another server, by its role.', ({ moves }) =>
      byKey('to', moves),
    ),
    of(
      'gauge',
      'last_failover_seconds',
      'From the first failed probe of a target to the next target, at the last failover.',
      ({ lastFailover }) => (lastFailover === undefined ? [] : [sample({}, lastFailover / 1000)]),
    ),
    of('counter', 'unavailable_seconds_total', 'Seconds without a target, in all.', ({ unavailable }) => [
      sample({}, unavailable / 1000),
    ]),
    of('gauge', 'alarms', 'What needs a human now.', ({ alarms }) => [sample({}, alarms.length)]),
    of('gauge', 'split', '1 while more than one server takes writes.', ({ alarms }) => [
      sample({}, alarms.some(({ kind }) => kind === 'split') ? 1 : 0),
    ]),
    of('gauge', 'frozen', '1 while an operator has frozen it.', ({ frozenFor }) => [
      sample({}, frozenFor === undefined ? 0 : 1),
    ]),
    of('gauge', 'paused', '1 while an operator has new clients held.', ({ paused }) => [
      sample({}, paused ? 1 : 0),
    ]),
    of('counter', 'hooks_total', 'Programs that were run for a promotion, by hook and result.', ({ hooks }) =>
      hooks.map(({ hook, result, runs }) => sample({ hook, result }, runs)),
    ),
    of('counter', 'hook_seconds_total', 'How long they took, in all.', ({ hooks }) =>
      hooks.map(({ hook, result, time }) => sample({ hook, result }, time / 1000)),
    ),
    of('gauge', 'held', 'New clients that wait for a server now.', ({ held }) => [sample({}, held)]),
    of(
      'counter',
      'held_total',
      'Clients that waited for a server: served, refused after too long or because too many waited, or gone.',
      ({ totals }) => byKey('result', { ...totals.held }),
    ),
    of('counter', 'connections_total', 'Client connections, by endpoint.', ({ totals }) =>
      byKey('endpoint', totals.connections),
    ),
    of(
      'counter',
      'sessions_ended_total',
      'Sessions that were ended because of their server: told so by an error, or closed without a word.',
      ({ totals }) => byKey('how', totals.ended),
    ),
    of(
      'counter',
      'sessions_unknown_total',
      'Sessions closed without a word that waited for an answer, or may have: nobody knows what became of that.',
      ({ totals }) => [sample({}, totals.unknown)],
    ),
    of(
      'counter',
      'orphans_total',
      'Sessions left at their server: ended by KILL, gone by themselves, or not to be ended for lack of a grant.',
      ({ totals }) => byKey('result', { ...totals.orphans }),
    ),
    of(
      'counter',
      'aborted_logins_total',
      'Clients that left or talked nonsense where a login was due, kept from counting at the server.',
      ({ totals }) => [sample({}, totals.abortedLogins)],
    ),
  ];
}

/** What is known of the servers behind each `mysql-vip`. */
export function mysqlServerFamilies(vips: readonly MysqlVipView[]): readonly Family[] {
  const of = (
    type: Family['type'],
    name: string,
    help: string,
    read: (server: MysqlServerView) => readonly Sample[],
  ): Family => ({
    name: `vane_mysql_server_${name}`,
    help,
    type,
    samples: () =>
      vips.flatMap(({ name: vip, servers }) =>
        servers.flatMap((server) =>
          read(server).map(({ labels, value }) => ({ labels: { vip, server: server.id, ...labels }, value })),
        ),
      ),
  });
  return [
    of('gauge', 'up', '1 while probes succeed.', ({ up }) => [sample({}, up === true ? 1 : 0)]),
    of('gauge', 'writable', '1 while it takes writes.', ({ writable }) => [sample({}, writable ? 1 : 0)]),
    of('gauge', 'drained', '1 while an operator does not want it used.', ({ drained }) => [
      sample({}, drained ? 1 : 0),
    ]),
    of('gauge', 'lag_seconds', 'How far a slave is behind, as it says itself.', ({ lag }) =>
      lag === undefined ? [] : [sample({}, lag / 1000)],
    ),
    of('gauge', 'stale_seconds', 'How old what a slave shows may be.', ({ staleness }) =>
      staleness === undefined ? [] : [sample({}, staleness / 1000)],
    ),
    of('gauge', 'sessions', 'Sessions open now, by endpoint.', ({ sessions }) => byKey('endpoint', sessions)),
    of('counter', 'probes_total', 'Probes that succeeded.', ({ probes }) => [sample({}, probes.ok)]),
    of(
      'counter',
      'probe_failures_total',
      'Probes that failed, by what that says about the server.',
      ({ probes }) => FAILURE_CLASSES.map((kind) => sample({ class: kind }, probes.failed[kind])),
    ),
  ];
}

function sample(labels: Sample['labels'], value: number): Sample {
  return { labels, value };
}

function byKey(label: string, counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([key, value]) => sample({ [label]: key }, value));
}
