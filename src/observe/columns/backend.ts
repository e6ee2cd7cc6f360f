import type { BackendView } from '../../control/view.ts';
import type { BackendCounters } from '../../proxy/plane/counters.ts';
import type { Column } from '../columns.ts';
import { CHECK_STATES, SERVER_STATES, serverState } from './server-status.ts';
import { WORK_COLUMNS, wholeSeconds } from './work.ts';

export interface BackendRow {
  readonly mode: 'http' | 'tcp';
  readonly counters: BackendCounters;
  readonly view: BackendView;
  /** Servers that take new work and have a weight. */
  readonly active: number;
  readonly backup: number;
  /** Of the servers in use: the active ones, or the backups when there are none. */
  readonly weight: number;
  /** Clock ms and wall-clock ms. */
  readonly at: number;
  readonly wall: number;
}

export function backendRow(view: BackendView, { at, wall }: { at: number; wall: number }): BackendRow {
  const weight = { active: 0, backup: 0 };
  const count = { active: 0, backup: 0 };
  for (const { snapshot, state } of view.servers) {
    if (state.work !== 'open' || snapshot.weight === 0) continue;
    const kind = snapshot.backup ? 'backup' : 'active';
    count[kind]++;
    weight[kind] += snapshot.weight;
  }
  return {
    mode: view.config.mode,
    counters: view.counters,
    view,
    ...count,
    weight: count.active > 0 ? weight.active : weight.backup,
    at,
    wall,
  };
}

export const BACKEND_COLUMNS: readonly Column<BackendRow>[] = [
  ...WORK_COLUMNS,
  {
    csv: 'status',
    metric: 'status',
    help: 'Status of the backend, by state.',
    states: ['DOWN', 'UP'],
    read: ({ view }) => [view.up ? 'UP' : 'DOWN'],
  },
  {
    csv: 'weight',
    metric: 'weight',
    type: 'gauge',
    help: 'Weights of the servers in use, in all.',
    read: ({ weight }) => weight,
  },
  {
    csv: 'uweight',
    metric: 'uweight',
    type: 'gauge',
    help: 'Configured weights of the servers in use, in all.',
    read: ({ weight }) => weight,
  },
  {
    csv: 'act',
    metric: 'active_servers',
    type: 'gauge',
    help: 'Servers that take new work, backups apart.',
    read: ({ active }) => active,
  },
  {
    csv: 'bck',
    metric: 'backup_servers',
    type: 'gauge',
    help: 'Backup servers that take new work.',
    read: ({ backup }) => backup,
  },
  {
    csv: 'chkdown',
    metric: 'check_up_down_total',
    type: 'counter',
    help: 'Times the backend was left without a server.',
    read: ({ view }) => view.downs,
  },
  {
    csv: 'lastchg',
    metric: 'check_last_change_seconds',
    type: 'gauge',
    help: 'Seconds since the status changed.',
    read: ({ view, at }) => wholeSeconds(at - view.since),
  },
  {
    csv: 'downtime',
    metric: 'downtime_seconds_total',
    type: 'counter',
    help: 'Seconds without a server, in all.',
    read: ({ view }) => wholeSeconds(view.downtime),
  },
  {
    csv: 'agg_server_status',
    metric: 'agg_server_status',
    help: 'Servers by status.',
    states: SERVER_STATES,
    read: serverStates,
  },
  {
    csv: 'agg_server_check_status',
    metric: 'agg_server_check_status',
    help: 'Servers by status (the earlier name of agg_server_status).',
    states: SERVER_STATES,
    read: serverStates,
  },
  {
    csv: 'agg_check_status',
    metric: 'agg_check_status',
    help: 'Servers by the result of their last check.',
    states: CHECK_STATES,
    read: ({ view }) =>
      view.servers.length === 0 ? undefined : view.servers.flatMap(({ check }) => check?.lastCode ?? []),
  },
];

function serverStates({ view }: BackendRow): readonly string[] | undefined {
  return view.servers.length === 0 ? undefined : view.servers.map(serverState);
}
