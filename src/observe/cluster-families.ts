import type { TablePeersView } from '../control/table-peers.ts';
import type { ClusterView } from '../registry/cluster/cluster.ts';
import type { Family } from './exposition.ts';

/** Of a registry that several nodes share: how far this one is behind, and what its place is. */
export function clusterFamilies(cluster: ClusterView): readonly Family[] {
  const { self, leader, lease, lag, index, behindMs, unsent } = cluster;
  const gauge = (name: string, help: string, value: number): Family => ({
    name: `vane_registry_${name}`,
    help,
    type: 'gauge',
    samples: () => [{ labels: {}, value }],
  });
  return [
    gauge('index', 'The last change of the shared registry that this node has taken in.', index),
    gauge('lag_commits', 'Changes it did not have yet when it renewed its lease last.', lag),
    gauge(
      'behind_seconds',
      'Seconds since when changes of others may be missing here; 0: none is.',
      behindMs / 1_000,
    ),
    gauge('unsent_commits', 'Changes made here that the others do not have yet.', unsent),
    gauge('lease_held', '1 while this node has its lease, and so counts as alive.', Number(lease === 'held')),
    gauge(
      'leader',
      '1 while this node leads the registry.',
      Number(lease === 'held' && leader === self.toLowerCase()),
    ),
  ];
}

/** Of stick-tables that are shared with other nodes. */
export function tablePeersFamilies(peers: TablePeersView): readonly Family[] {
  const { connected, sent, dropped, learned, lagMs } = peers;
  const family = (name: string, type: Family['type'], help: string, value: number): Family => ({
    name: `vane_stick_peers_${name}`,
    help,
    type,
    samples: () => [{ labels: {}, value }],
  });
  return [
    family(
      'connected',
      'gauge',
      '1 while other nodes are heard and told of stick-tables.',
      Number(connected),
    ),
    family('sent_entries_total', 'counter', 'Entries of stick-tables that other nodes were told.', sent),
    family(
      'dropped_entries_total',
      'counter',
      'Entries they were not told, as Redis was away or slow.',
      dropped,
    ),
    family('learned_entries_total', 'counter', 'Entries taken from other nodes.', learned),
    family('lag_seconds', 'gauge', 'How old the last entries were when they came.', lagMs / 1_000),
  ];
}
