import type { ResolverView } from '../control/view.ts';
import type { ConsulWatchView } from '../discovery/from-consul.ts';
import type { NameserverCounters } from '../dns/nameserver-counters.ts';
import type { Family } from './exposition.ts';

const COUNTERS: readonly (readonly [metric: string, read: keyof NameserverCounters, help: string])[] = [
  ['sent', 'sent', 'Queries sent, repetitions included.'],
  ['send_error', 'sendError', 'Queries that could not be sent, or whose connection broke.'],
  ['valid', 'valid', 'Replies without error that could be read.'],
  ['update', 'update', 'Replies that decided a look-up.'],
  ['cname', 'cname', 'Replies with a CNAME.'],
  ['cname_error', 'cnameError', 'Replies whose CNAMEs lead nowhere.'],
  ['any_err', 'anyErr', 'Replies without a record of the type asked for.'],
  ['nx', 'nx', 'Replies that the name does not exist.'],
  ['timeout', 'timeout', 'Queries that nothing had come back for when the next was due.'],
  ['refused', 'refused', 'Replies that refuse the query.'],
  ['other', 'other', 'Replies with another error.'],
  ['invalid', 'invalid', 'Messages that could not be read or that answered no query.'],
  ['too_big', 'tooBig', 'Replies larger than accepted_payload_size.'],
  ['truncated', 'truncated', 'Replies cut short; the rest was asked for over TCP.'],
  ['outdated', 'outdated', 'Replies that came after the query had been repeated.'],
];

const WATCHES: readonly (readonly [
  metric: string,
  type: 'gauge' | 'counter',
  read: (watch: ConsulWatchView) => number | undefined,
  help: string,
])[] = [
  ['up', 'gauge', ({ up }) => (up ? 1 : 0), '1 while Consul answers what it is asked.'],
  [
    'index',
    'gauge',
    ({ index }) => index,
    'Index of the last answer of Consul; 0 where the next must be whole.',
  ],
  [
    'age_seconds',
    'gauge',
    ({ age }) => (age === undefined ? undefined : age / 1000),
    'Seconds since Consul last answered; up to 32 while nothing changes.',
  ],
  [
    'fallback',
    'gauge',
    ({ fallback }) => (fallback ? 1 : 0),
    '1 while nameservers are asked instead of Consul.',
  ],
  ['failures_total', 'counter', ({ failures }) => failures, 'Queries to Consul that failed.'],
];

/** What became of the queries to each nameserver, as HAProxy's exporter tells it, and to each Consul. */
export function resolverFamilies(resolvers: readonly ResolverView[]): readonly Family[] {
  return [...nameserverFamilies(resolvers), ...watchFamilies(resolvers)];
}

function watchFamilies(resolvers: readonly ResolverView[]): readonly Family[] {
  return WATCHES.map(([metric, type, read, help]) => ({
    name: `vane_resolver_${metric}`,
    help,
    type,
    samples: () =>
      resolvers.flatMap(({ id, watches }) =>
        watches.flatMap((watch) => {
          const value = read(watch);
          return value === undefined ? [] : [{ labels: { resolver: id, watch: watch.name }, value }];
        }),
      ),
  }));
}

function nameserverFamilies(resolvers: readonly ResolverView[]): readonly Family[] {
  return COUNTERS.map(([metric, read, help]) => ({
    name: `haproxy_resolver_${metric}`,
    help,
    type: 'gauge',
    samples: () =>
      resolvers.flatMap(({ id, nameservers }) =>
        nameservers.map(({ name, counters }) => ({
          labels: { resolver: id, nameserver: name },
          value: counters[read],
        })),
      ),
  }));
}
