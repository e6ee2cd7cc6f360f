import type {
  BackendView,
  DatacenterView,
  FrontendView,
  NameView,
  ServerView,
  SystemView,
} from '../control/view.ts';
import { type BackendCounters, DURATION_BOUNDS, type DurationHistogram } from '../proxy/plane/counters.ts';
import { clusterFamilies, tablePeersFamilies } from './cluster-families.ts';
import type { Family, Labels, Sample } from './exposition.ts';

/** What the process is, which HAProxy tells too, and what became of its reloads. */
export function globalFamilies({ process }: SystemView, accessLogDropped: number): readonly Family[] {
  const { node, version, reloads, workers, storing, cluster, tablePeers, datacenters = [] } = process;
  return [
    one('haproxy_process_node', 'gauge', 'Name of the node.', { node }, 1),
    one('haproxy_process_build_info', 'gauge', 'Version of Vane.', { version }, 1),
    one('vane_build_info', 'gauge', 'Version of Vane and name of the node.', { version, node }, 1),
    {
      name: 'vane_reloads_total',
      help: 'Configurations read again: taken, or refused because of a mistake in them.',
      type: 'counter',
      samples: () => [
        // The first one was the start.
        { labels: { result: 'taken' }, value: Math.max(0, reloads.taken - 1) },
        { labels: { result: 'refused' }, value: reloads.refused },
      ],
    },
    one(
      'vane_access_log_dropped_total',
      'counter',
      'Access log lines dropped because their reader was too slow.',
      {},
      accessLogDropped,
    ),
    one('vane_workers', 'gauge', 'Worker processes at work; 0 with workers: 0.', {}, workers.running),
    one(
      'vane_workers_draining',
      'gauge',
      'Worker processes that were replaced and finish what they have.',
      {},
      workers.draining,
    ),
    one(
      'vane_worker_restarts_total',
      'counter',
      'Worker processes started in place of one that had ended unexpectedly.',
      {},
      workers.restarts,
    ),
    ...(storing ? storeFamilies(storing) : []),
    ...(cluster ? clusterFamilies(cluster) : []),
    ...(tablePeers ? tablePeersFamilies(tablePeers) : []),
    ...datacenterFamilies(datacenters),
  ];
}

function datacenterFamilies(datacenters: readonly DatacenterView[]): readonly Family[] {
  const of = (
    type: Family['type'],
    name: string,
    help: string,
    read: (datacenter: DatacenterView) => number | undefined,
  ): Family => ({
    name: `vane_datacenter_${name}`,
    help,
    type,
    samples: () =>
      datacenters.flatMap((one) => {
        const value = read(one);
        return value === undefined ? [] : [{ labels: { datacenter: one.name }, value }];
      }),
  });
  return [
    of('gauge', 'up', 'Whether another datacenter answered when it was asked last.', ({ up }) =>
      up === undefined ? undefined : Number(up),
    ),
    of(
      'counter',
      'failures_total',
      'Times another datacenter could not be asked.',
      ({ failures }) => failures,
    ),
    of(
      'counter',
      'stale_answers_total',
      'Earlier answers told again while a datacenter was away.',
      ({ stale }) => stale,
    ),
    of('gauge', 'age_seconds', 'Seconds since the last answer of another datacenter.', ({ age }) =>
      age === undefined ? undefined : age / 1_000,
    ),
  ];
}

function storeFamilies({ works, failures }: { works: boolean; failures: number }): readonly Family[] {
  return [
    one(
      'vane_registry_store_up',
      'gauge',
      '0 while the registry cannot be stored, or its Redis is away.',
      {},
      works ? 1 : 0,
    ),
    one(
      'vane_registry_store_failures_total',
      'counter',
      'Failed attempts to store changes of the registry.',
      {},
      failures,
    ),
  ];
}

/** What HAProxy does not tell of a frontend. */
export function frontendFamilies(frontends: readonly FrontendView[]): readonly Family[] {
  return [
    {
      name: 'vane_tls_failed_handshakes_total',
      help: 'Client connections that ended in the TLS handshake.',
      type: 'counter',
      samples: () =>
        frontends.map(({ counters: { name, sslFailedHandshake } }) => ({
          labels: { proxy: name },
          value: sslFailedHandshake,
        })),
    },
  ];
}

/** What HAProxy does not tell of a backend: its names, its drains, who got no server, and how long all took. */
export function backendFamilies(backends: readonly BackendView[]): readonly Family[] {
  return [...nameFamilies(backends), ...workFamilies(backends)];
}

function nameFamilies(backends: readonly BackendView[]): readonly Family[] {
  const names = backends.flatMap((backend) =>
    [...Map.groupBy(backend.names, ({ domain }) => domain)].map(([domain, views]) => ({
      labels: { proxy: backend.counters.name, domain },
      name: together(views),
    })),
  );
  const gauge = (name: string, help: string, read: (name: NameSum) => number | undefined): Family => ({
    name,
    help,
    type: 'gauge',
    samples: () =>
      names.flatMap(({ labels, name }) => {
        const value = read(name);
        return value === undefined ? [] : [{ labels, value }];
      }),
  });
  return [
    gauge('vane_discovery_age_seconds', 'Seconds since the last good answer for a name.', ({ age }) =>
      age === undefined ? undefined : age / 1000,
    ),
    gauge('vane_discovery_servers', 'Servers in the last good answer for a name.', ({ servers }) => servers),
    gauge('vane_discovery_kept', '1 while an answer without servers is held back (on-empty).', (name) =>
      name.kept ? 1 : 0,
    ),
    gauge(
      'vane_discovery_held',
      'Servers that are gone from the answers for a name and stay for now (max-removal).',
      ({ held }) => held,
    ),
    gauge(
      'vane_discovery_stale',
      '1 while nobody has answered for a name for so long that its servers may not be right any more.',
      ({ stale }) => (stale ? 1 : 0),
    ),
    gauge(
      'vane_discovery_hint',
      '1 while servers known from before the start stand in for a name that is not resolved yet.',
      ({ hint }) => (hint ? 1 : 0),
    ),
    {
      name: 'vane_discovery_resolutions_total',
      help: 'Look-ups of a name: with servers, without any, failed.',
      type: 'counter',
      samples: () => names.flatMap(({ labels, name }) => byResult(labels, name.results)),
    },
  ];
}

function workFamilies(backends: readonly BackendView[]): readonly Family[] {
  return [
    {
      name: 'vane_panic',
      help: 'Whether so few servers are up that all are used (panic-threshold).',
      type: 'gauge',
      samples: () =>
        backends.map(({ counters, panic }) => ({
          labels: { proxy: counters.name },
          value: panic.active ? 1 : 0,
        })),
    },
    {
      name: 'vane_panics_total',
      help: 'Times so few servers were up that all were used.',
      type: 'counter',
      samples: () =>
        backends.map(({ counters, panic }) => ({ labels: { proxy: counters.name }, value: panic.entered })),
    },
    {
      name: 'vane_drains_total',
      help: 'Drains of servers: begun, and ended because the work was done, by the deadline, or taken back.',
      type: 'counter',
      samples: () =>
        backends.flatMap(({ counters, drains }) => byResult({ proxy: counters.name }, { ...drains })),
    },
    {
      name: 'vane_drain_cut_total',
      help: 'Requests or connections cut because a drain met its deadline or the server was removed.',
      type: 'counter',
      samples: () =>
        backends.map(({ counters }) => ({ labels: { proxy: counters.name }, value: counters.drainCut })),
    },
    {
      name: 'vane_no_server_total',
      help: 'Requests that found no server.',
      type: 'counter',
      samples: () =>
        backends.map(({ counters }) => ({ labels: { proxy: counters.name }, value: counters.noServer })),
    },
    ...failingFamilies(backends),
    {
      name: DURATION,
      help: 'Time of whole requests, from the first byte of the head to the last of the answer.',
      type: 'histogram',
      samples: () =>
        backends.flatMap(({ counters }) => durationSamples({ proxy: counters.name }, counters.duration)),
    },
  ];
}

function failingFamilies(backends: readonly BackendView[]): readonly Family[] {
  const counter = (name: string, help: string, read: (row: BackendCounters) => number): Family => ({
    name,
    help,
    type: 'counter',
    samples: () =>
      backends.map(({ counters }) => ({ labels: { proxy: counters.name }, value: read(counters) })),
  });
  return [
    counter(
      'vane_ejections_total',
      'Times new requests were kept from a server for what it did to others (outlier), in any worker.',
      ({ ejections }) => ejections,
    ),
    counter(
      'vane_retries_refused_total',
      'Retries that were not made because too many had been (retry-budget).',
      ({ retriesRefused }) => retriesRefused,
    ),
    counter(
      'vane_hedges_total',
      'Requests sent to a second server besides, as the first was slow to answer (hedge).',
      ({ hedges }) => hedges,
    ),
    counter(
      'vane_hedges_won_total',
      'Requests that the second server has answered first.',
      ({ hedgesWon }) => hedgesWon,
    ),
    counter(
      'vane_queue_refused_total',
      'Requests turned away at once, as the queue moved too slowly to serve them in time.',
      ({ refusedEarly }) => refusedEarly,
    ),
  ];
}

/** What HAProxy does not tell of a server. */
export function serverFamilies(
  servers: readonly {
    readonly labels: Labels;
    readonly row: { readonly counters: ServerView['counters'] };
  }[],
): readonly Family[] {
  return [
    {
      name: 'vane_server_ejected',
      help: 'Workers that keep new requests from a server at present; 1 at most with workers: 0.',
      type: 'gauge',
      samples: () =>
        servers.flatMap(({ labels, row: { counters } }) =>
          counters ? [{ labels, value: counters.ejected }] : [],
        ),
    },
  ];
}

type NameSum = Pick<NameView, 'age' | 'servers' | 'kept' | 'held' | 'stale' | 'hint' | 'results'>;

/** A backend may have one domain several times, with different ports: one name, of the oldest age. */
function together(views: readonly NameView[]): NameSum {
  const known = views.filter(({ age }) => age !== undefined);
  const sum = (read: (view: NameView) => number) => views.reduce((total, view) => total + read(view), 0);
  return {
    age: known.length === 0 ? undefined : Math.max(...known.map(({ age = 0 }) => age)),
    servers: known.length === 0 ? undefined : sum(({ servers = 0 }) => servers),
    kept: views.some(({ kept }) => kept),
    held: sum(({ held }) => held),
    stale: views.some(({ stale }) => stale),
    hint: views.some(({ hint }) => hint),
    results: {
      ok: sum(({ results }) => results.ok),
      empty: sum(({ results }) => results.empty),
      failed: sum(({ results }) => results.failed),
    },
  };
}

function byResult(labels: Labels, results: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(results).map(([result, value]) => ({ labels: { ...labels, result }, value }));
}

const DURATION = 'vane_request_duration_seconds';

function durationSamples(labels: Labels, { buckets, sum, count }: DurationHistogram): readonly Sample[] {
  let below = 0;
  const cumulative = DURATION_BOUNDS.map((le, i) => {
    below += buckets[i] ?? 0;
    return { metricName: `${DURATION}_bucket`, labels: { ...labels, le }, value: below };
  });
  return [
    ...cumulative,
    { metricName: `${DURATION}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${DURATION}_sum`, labels, value: sum },
    { metricName: `${DURATION}_count`, labels, value: count },
  ];
}

function one(name: string, type: 'counter' | 'gauge', help: string, labels: Labels, value: number): Family {
  return { name, help, type, samples: () => [{ labels, value }] };
}
