import type { BackendView } from '../control/view.ts';
import type { Family } from './exposition.ts';

/** Of each stick table, under HAProxy's names; it is named as its backend. */
export function stickTableFamilies(backends: readonly BackendView[]): readonly Family[] {
  const tables = backends.flatMap(({ config: { name, stickiness }, counters }) => {
    const { type, size } = stickiness?.table ?? {};
    return type === undefined || size === undefined
      ? []
      : [{ labels: { name, type }, size, used: counters.tableEntries }];
  });
  return [
    {
      name: 'haproxy_sticktable_size',
      help: 'Entries that a stick table holds at most.',
      type: 'gauge',
      samples: () => tables.map(({ labels, size }) => ({ labels, value: size })),
    },
    {
      name: 'haproxy_sticktable_used',
      help: 'Entries that a stick table holds.',
      type: 'gauge',
      samples: () => tables.map(({ labels, used }) => ({ labels, value: used })),
    },
  ];
}
