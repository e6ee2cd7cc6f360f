import { describe, expect, test } from 'vitest';
import type { SystemView } from '../../../src/control/view.ts';
import { createMetrics, type MetricsFilter, type Scope } from '../../../src/observe/metrics.ts';
import { type ParsedFamily, parsePrometheus, type Series } from './prometheus-text.ts';
import { backendView, frontendView, nameView, serverView, systemView } from './system-view.ts';

async function scrape(view: SystemView = systemView(), filter?: MetricsFilter) {
  const metrics = createMetrics({ view: async () => view, accessDropped: () => 17 });
  return parsePrometheus(await metrics.text(filter));
}

/** The values of a metric, each with its labels in the order in which they stand: `web,UP 1`. */
function values(families: ReadonlyMap<string, ParsedFamily>, name: string): readonly string[] {
  const series = families.get(name)?.series ?? [];
  return series.map(({ labels, value }) => `${Object.values(labels).join()} ${value}`);
}

function only(...scopes: Scope[]): MetricsFilter {
  return { scopes: new Set(scopes), maintenance: true };
}

describe('the process', () => {
  test("is told in HAProxy's metrics", async () => {
    const families = await scrape();
    const told = [...families]
      .filter(([name]) => name.startsWith('haproxy_process_'))
      .map(([name, { type }]) => [name, type, ...values(families, name)]);
    expect(told).toEqual([
      ['haproxy_process_uptime_seconds', 'gauge', ' 3600'],
      ['haproxy_process_start_time_seconds', 'gauge', ` ${Date.UTC(2026, 1, 7, 13, 5, 22) / 1000}`],
      ['haproxy_process_max_connections', 'gauge', ' 20000'],
      ['haproxy_process_current_connections', 'gauge', ' 211'],
      ['haproxy_process_current_connection_rate', 'gauge', ' 157'],
      ['haproxy_process_current_session_rate', 'gauge', ' 106'],
      ['haproxy_process_stopping', 'gauge', ' 0'],
      ['haproxy_process_dropped_logs_total', 'counter', ' 17'],
      ['haproxy_process_node', 'gauge', 'lb-1 1'],
      ['haproxy_process_build_info', 'gauge', '0.1.0 1'],
    ]);
  });

  test("is told in Vane's own and in those of Node", async () => {
    const families = await scrape();
    expect(families.get('vane_build_info')?.series[0]).toEqual({
      name: 'vane_build_info',
      labels: { version: '0.1.0', node: 'lb-1' },
      value: 1,
    });
    // The configuration it was started with is no reload.
    expect(values(families, 'vane_reloads_total')).toEqual(['taken 2', 'refused 1']);
    expect(values(families, 'vane_workers')).toEqual([' 2']);
    expect(values(families, 'vane_workers_draining')).toEqual([' 3']);
    expect(values(families, 'vane_worker_restarts_total')).toEqual([' 5']);
    expect(values(families, 'vane_access_log_dropped_total')).toEqual([' 17']);
    expect(values(families, 'vane_registry_store_up')).toEqual([' 0']);
    expect(values(families, 'vane_registry_behind_seconds')).toEqual([' 1.5']);
    expect(values(families, 'vane_registry_leader')).toEqual([' 1']);
    expect(values(families, 'vane_registry_store_failures_total')).toEqual([' 3']);
    expect([...families.keys()]).toEqual(
      expect.arrayContaining(['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']),
    );
  });
});

describe('a frontend', () => {
  test("has every counter under HAProxy's name", async () => {
    const families = await scrape();
    expect(numbers(families, 'haproxy_frontend_')).toEqual({
      current_sessions: 101,
      max_sessions: 102,
      sessions_total: 103,
      bytes_in_total: 104,
      bytes_out_total: 105,
      current_session_rate: 106,
      max_session_rate: 107,
      limit_sessions: 2_000,
      requests_denied_total: 151,
      request_errors_total: 152,
      http_requests_total: 153,
      http_requests_rate_max: 155,
      connections_total: 156,
      connections_rate_max: 158,
      denied_connections_total: 159,
      intercepted_requests_total: 160,
    });
    expect(values(families, 'haproxy_frontend_http_responses_total')).toEqual([
      'www,1xx 111',
      'www,2xx 112',
      'www,3xx 113',
      'www,4xx 114',
      'www,5xx 115',
      'www,other 116',
    ]);
  });

  test.each([
    ['OPEN', ['www,DOWN 0', 'www,UP 1']],
    ['STOP', ['www,DOWN 1', 'www,UP 0']],
  ] as const)('that is %s says so by state', async (status, expected) => {
    const families = await scrape(systemView({ frontends: [frontendView({}, status)] }));
    expect(values(families, 'haproxy_frontend_status')).toEqual(expected);
    expect(families.get('haproxy_frontend_status')?.series[0]?.labels).toEqual({
      proxy: 'www',
      state: 'DOWN',
    });
  });
});

describe('a backend', () => {
  test("has every counter under HAProxy's name", async () => {
    expect(numbers(await scrape(), 'haproxy_backend_')).toEqual({
      ...WORK,
      weight: 1,
      uweight: 1,
      active_servers: 1,
      backup_servers: 0,
      check_up_down_total: 192,
      check_last_change_seconds: 65,
      downtime_seconds_total: 193,
    });
  });

  test.each([
    [true, ['web,DOWN 0', 'web,UP 1']],
    [false, ['web,DOWN 1', 'web,UP 0']],
  ])('up: %s is told by state', async (up, expected) => {
    const families = await scrape(systemView({ backends: [backendView({ up })] }));
    expect(values(families, 'haproxy_backend_status')).toEqual(expected);
  });

  test('counts and weighs the servers in use', async () => {
    const active = [
      serverView({ port: 1, weight: 3 }),
      serverView({ port: 2, weight: 4 }),
      serverView({ port: 3, weight: 5, up: false }),
      serverView({ port: 4, weight: 0 }),
    ];
    const backups = [
      serverView({ port: 5, weight: 16, backup: true }),
      serverView({ port: 6, weight: 32, backup: true }),
    ];
    const shown = async (servers: typeof active) => {
      const families = await scrape(systemView({ backends: [backendView({ servers })] }), only('backend'));
      const { active_servers, backup_servers, weight, uweight } = numbers(families, 'haproxy_backend_');
      return { active_servers, backup_servers, weight, uweight };
    };
    expect(await shown([...active, ...backups])).toEqual({
      active_servers: 2,
      backup_servers: 2,
      weight: 7,
      uweight: 7,
    });
    expect(await shown(backups)).toEqual({ active_servers: 0, backup_servers: 2, weight: 48, uweight: 48 });
    expect(await shown([])).toEqual({ active_servers: 0, backup_servers: 0, weight: 0, uweight: 0 });
  });

  test('adds up its servers by status and by the result of their checks', async () => {
    const servers = [
      serverView({ port: 1, name: 'a', check: { lastCode: 'L7OK' } }),
      serverView({ port: 2, name: 'b', check: { lastCode: 'L4CON' }, up: false }),
      serverView({ port: 3, name: 'c', check: { lastCode: 'L4CON' }, up: false }),
      serverView({ port: 4, name: 'd', mode: 'maint' }),
    ];
    const families = await scrape(systemView({ backends: [backendView({ servers })] }), only('backend'));
    const states = ['web,DOWN 2', 'web,UP 1', 'web,MAINT 1', 'web,DRAIN 0', 'web,NOLB 0'];
    expect(values(families, 'haproxy_backend_agg_server_status')).toEqual(states);
    expect(values(families, 'haproxy_backend_agg_server_check_status')).toEqual(states);
    const checks = values(families, 'haproxy_backend_agg_check_status');
    expect(checks).toHaveLength(16);
    expect(checks.filter((value) => !value.endsWith(' 0'))).toEqual(['web,L4CON 2', 'web,L7OK 1']);
  });

  test('without servers adds up nothing', async () => {
    const families = await scrape(systemView({ backends: [backendView({ servers: [] })] }), only('backend'));
    expect(values(families, 'haproxy_backend_agg_server_status')).toEqual([]);
    expect(values(families, 'haproxy_backend_agg_check_status')).toEqual([]);
  });

  test('that never had a request says -1 for its last one', async () => {
    const families = await scrape(systemView({ backends: [backendView({ counters: { lastSession: 0 } })] }));
    expect(values(families, 'haproxy_backend_last_session_seconds')).toEqual(['web -1']);
  });

  test('has what HAProxy lacks', async () => {
    const families = await scrape();
    expect(values(families, 'vane_no_server_total')).toEqual(['web 191']);
    expect(values(families, 'vane_drain_cut_total')).toEqual(['web 173']);
    expect(values(families, 'vane_drains_total')).toEqual([
      'web,started 201',
      'web,finished 202',
      'web,expired 203',
      'web,cancelled 204',
    ]);
    const duration = families.get('vane_request_duration_seconds');
    expect(duration?.type).toBe('histogram');
    const shown = duration?.series.map(
      ({ name, labels, value }) => `${name.slice(29)} ${labels.le} ${value}`,
    );
    expect(shown?.slice(0, 3)).toEqual(['_bucket 0.001 2', '_bucket 0.0025 4', '_bucket 0.005 6']);
    expect(shown?.slice(-3)).toEqual(['_bucket +Inf 30', '_sum undefined 99.5', '_count undefined 30']);
    expect(duration?.series.every(({ labels }) => labels.proxy === 'web')).toBe(true);
  });
});

describe('a name', () => {
  test('has its age, servers and look-ups', async () => {
    const families = await scrape();
    expect(values(families, 'vane_discovery_age_seconds')).toEqual(['web,web.service.consul 1.5']);
    expect(values(families, 'vane_discovery_servers')).toEqual(['web,web.service.consul 2']);
    expect(values(families, 'vane_discovery_kept')).toEqual(['web,web.service.consul 0']);
    expect(values(families, 'vane_discovery_resolutions_total')).toEqual([
      'web,web.service.consul,ok 181',
      'web,web.service.consul,empty 182',
      'web,web.service.consul,failed 183',
    ]);
  });

  test('never answered has no age, and one held back says so', async () => {
    const names = [
      nameView({ domain: 'new.service.consul', age: undefined, servers: undefined }),
      nameView({ kept: true }),
    ];
    const families = await scrape(systemView({ backends: [backendView({ names })] }));
    expect(values(families, 'vane_discovery_age_seconds')).toEqual(['web,web.service.consul 1.5']);
    expect(values(families, 'vane_discovery_servers')).toEqual(['web,web.service.consul 2']);
    expect(values(families, 'vane_discovery_kept')).toEqual([
      'web,new.service.consul 0',
      'web,web.service.consul 1',
    ]);
  });

  test('that a backend has with two ports is one series', async () => {
    const names = [nameView(), nameView({ age: 4_000, servers: 3, kept: true })];
    const families = await scrape(systemView({ backends: [backendView({ names })] }));
    expect(values(families, 'vane_discovery_age_seconds')).toEqual(['web,web.service.consul 4']);
    expect(values(families, 'vane_discovery_servers')).toEqual(['web,web.service.consul 5']);
    expect(values(families, 'vane_discovery_kept')).toEqual(['web,web.service.consul 1']);
    expect(values(families, 'vane_discovery_resolutions_total')[0]).toBe('web,web.service.consul,ok 362');
  });
});

describe('a server', () => {
  const withServers = (...servers: ReturnType<typeof serverView>[]) =>
    scrape(systemView({ backends: [backendView({ servers })] }), only('server'));

  test("has every counter under HAProxy's name", async () => {
    const check = { lastCode: 'L7STS', httpStatus: 503, durationMs: 12.5, failures: 221 };
    const families = await withServers(
      serverView({ weight: 5, maxconn: 40, downs: 222, downtime: 223_999, check }),
    );
    expect(numbers(families, 'haproxy_server_')).toEqual({
      ...WORK,
      limit_sessions: 40,
      weight: 5,
      uweight: 5,
      active: 1,
      backup: 0,
      check_failures_total: 221,
      check_up_down_total: 222,
      check_last_change_seconds: 12,
      downtime_seconds_total: 223,
      check_code: 503,
      check_duration_seconds: 0.0125,
      idle_connections_current: 171,
      used_connections_current: 172,
    });
    const status = families.get('haproxy_server_status')?.series[0];
    expect(Object.keys(status?.labels ?? {})).toEqual(['proxy', 'server', 'state']);
  });

  test.each([
    ['up', {}, 'UP'],
    ['down', { up: false }, 'DOWN'],
    ['told to drain', { mode: 'drain' }, 'DRAIN'],
    ['told to drain and down', { mode: 'drain', up: false }, 'DOWN'],
    ['under maintenance', { mode: 'maint' }, 'MAINT'],
    ['under maintenance and down', { mode: 'maint', up: false }, 'MAINT'],
    ['no longer named', { present: false }, 'DRAIN'],
    ['no longer named and down', { present: false, up: false }, 'DOWN'],
  ] as const)('that is %s says so by state', async (_what, changes, state) => {
    const shown = values(await withServers(serverView(changes)), 'haproxy_server_status');
    expect(shown.map((value) => value.split(/[, ]/)[2])).toEqual(['DOWN', 'UP', 'MAINT', 'DRAIN', 'NOLB']);
    expect(shown.filter((value) => value.endsWith(' 1'))).toEqual([`web,web-1,${state} 1`]);
  });

  test("tells the result of its check by state, in HAProxy's order", async () => {
    const families = await withServers(serverView({ check: { lastCode: 'L4TOUT' } }));
    const shown = values(families, 'haproxy_server_check_status');
    expect(shown.map((value) => value.split(/[, ]/)[2]).join(' ')).toBe(
      'HANA SOCKERR L4OK L4TOUT L4CON L6OK L6TOUT L6RSP L7TOUT L7RSP L7OK L7OKC L7STS PROCERR PROCTOUT PROCOK',
    );
    expect(shown.filter((value) => value.endsWith(' 1'))).toEqual(['web,web-1,L4TOUT 1']);
  });

  test('whose check has no result yet has no duration and is in no state', async () => {
    const check = { lastCode: 'INI', durationMs: undefined };
    const families = await withServers(serverView({ check }));
    expect(values(families, 'haproxy_server_check_status').every((value) => value.endsWith(' 0'))).toBe(true);
    expect(values(families, 'haproxy_server_check_code')).toEqual(['web,web-1 0']);
    expect(values(families, 'haproxy_server_check_duration_seconds')).toEqual([]);
  });

  test('that is not checked, has no limit and no counters has no such series', async () => {
    const families = await withServers(serverView({ counters: 'none' }));
    const told = [...families].filter(([, { series }]) => series.length > 0).map(([name]) => name);
    expect(told).toEqual([
      'haproxy_server_status',
      'haproxy_server_weight',
      'haproxy_server_uweight',
      'haproxy_server_active',
      'haproxy_server_backup',
      'haproxy_server_check_up_down_total',
      'haproxy_server_check_last_change_seconds',
      'haproxy_server_downtime_seconds_total',
    ]);
  });

  test('whatever it is called, its name comes out as it went in', async () => {
    const name = 'a"b\\c\nd{e="f"} é';
    const families = await withServers(serverView({ name }));
    expect(families.get('haproxy_server_weight')?.series[0]?.labels).toEqual({ proxy: 'web', server: name });
  });
});

describe('in TCP mode', () => {
  test('nothing is said of HTTP', async () => {
    const view = systemView({
      frontends: [frontendView({ mode: 'tcp' })],
      backends: [backendView({ mode: 'tcp' })],
    });
    const families = await scrape(view, only('frontend', 'backend', 'server'));
    const http = [...families].filter(([name, { series }]) => name.includes('_http_') && series.length > 0);
    expect(http).toEqual([]);
    expect(values(families, 'haproxy_frontend_intercepted_requests_total')).toEqual([]);
    expect(values(families, 'haproxy_server_sessions_total')).toEqual(['web,web-1 103']);
  });
});

describe('a scrape', () => {
  test('says of every family what it is, and nothing twice', async () => {
    const families = await scrape();
    for (const [name, { type, help, series }] of families) {
      expect(help.length, name).toBeGreaterThan(5);
      if (/^(?:haproxy|vane)_/.test(name))
        expect(series.filter(({ value }) => Number.isNaN(value))).toEqual([]);
      if (/^(?:haproxy|vane)_.*_total$/.test(name)) expect(`${name} ${type}`).toBe(`${name} counter`);
    }
  });

  test('has no label of a server that is gone', async () => {
    let view = systemView({
      backends: [
        backendView({ servers: [serverView({ name: 'old', port: 1 }), serverView({ name: 'kept' })] }),
      ],
    });
    const metrics = createMetrics({ view: async () => view, accessDropped: () => 0 });
    expect(await metrics.text()).toContain('server="old"');
    view = systemView({ backends: [backendView({ servers: [serverView({ name: 'kept' })] })] });
    const text = await metrics.text();
    expect(text).not.toContain('server="old"');
    expect(text).toContain('server="kept"');
  });

  test('of many servers is whole and lets others have their turn', async () => {
    const servers = Array.from({ length: 700 }, (_, i) =>
      serverView({ name: `web-${i}`, port: i, check: {} }),
    );
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const families = await scrape(systemView({ backends: [backendView({ servers })] }), only('server'));
    clearInterval(timer);
    expect(families.get('haproxy_server_weight')?.series).toHaveLength(700);
    expect(families.get('haproxy_server_check_status')?.series).toHaveLength(700 * 16);
    expect(turns).toBeGreaterThan(3);
  });

  test('is shared by those who ask for the same while it is under way', async () => {
    let built = 0;
    const metrics = createMetrics({
      view: async () => {
        built++;
        return systemView();
      },
      accessDropped: () => 0,
    });
    const [first, second] = await Promise.all([metrics.text(), metrics.text()]);
    expect(built).toBe(1);
    expect(second).toBe(first);
    await Promise.all([metrics.text(only('server')), metrics.text(only('backend'))]);
    expect(built).toBe(3);
    await metrics.text();
    expect(built).toBe(4);
  });

  test('fails as the view does, and works again after it', async () => {
    let fail = true;
    const metrics = createMetrics({
      view: async () => {
        if (fail) throw new Error('no answer');
        return systemView();
      },
      accessDropped: () => 0,
    });
    await expect(metrics.text()).rejects.toThrow('no answer');
    fail = false;
    expect(await metrics.text()).toContain('haproxy_backend_status');
  });
});

describe('a filter', () => {
  test.each([
    [
      'global',
      /^(?:haproxy_process|vane_(?:build|reloads|access|workers?|registry|stick_peers|datacenter)|process|nodejs)(?:_|$)/,
    ],
    ['frontend', /^(?:haproxy_frontend|vane_tls)_/],
    [
      'backend',
      /^(?:haproxy_backend|vane_(?:discovery|drains?|ejections|hedges|mysql|no_server|panics?|queue|request|retries))(?:_|$)/,
    ],
    ['sticktable', /^haproxy_sticktable_/],
    ['server', /^(?:haproxy_server|vane_mysql_server|vane_server)_/],
  ] as const)('for scope %s leaves only its families', async (scope, expected) => {
    const families = await scrape(systemView(), only(scope));
    expect(families.size).toBeGreaterThan(0);
    expect([...families.keys()].filter((name) => !expected.test(name))).toEqual([]);
  });

  test('for no scope leaves nothing, and does not even look', async () => {
    const metrics = createMetrics({
      view: () => Promise.reject(new Error('looked')),
      accessDropped: () => 0,
    });
    expect(await metrics.text(only())).toBe('');
  });

  test('leaves out servers under maintenance where asked to', async () => {
    const servers = [
      serverView({ name: 'a', port: 1, mode: 'maint' }),
      serverView({ name: 'b', mode: 'drain' }),
    ];
    const view = systemView({ backends: [backendView({ servers })] });
    const families = await scrape(view, { scopes: new Set(['server', 'backend']), maintenance: false });
    expect(values(families, 'haproxy_server_weight')).toEqual(['web,b 1']);
    expect(values(families, 'haproxy_backend_agg_server_status')).toContain('web,MAINT 1');
  });
});

/** What backends and servers both count, as the fixture counts it. */
const WORK = {
  current_sessions: 101,
  max_sessions: 102,
  sessions_total: 103,
  bytes_in_total: 104,
  bytes_out_total: 105,
  current_session_rate: 106,
  max_session_rate: 107,
  current_queue: 121,
  max_queue: 122,
  connection_errors_total: 123,
  response_errors_total: 124,
  retry_warnings_total: 125,
  redispatch_warnings_total: 126,
  loadbalanced_total: 127,
  http_requests_total: 128,
  client_aborts_total: 129,
  server_aborts_total: 130,
  connection_attempts_total: 131,
  connection_reuses_total: 132,
  last_session_seconds: 7,
  queue_time_average_seconds: 0.141,
  connect_time_average_seconds: 0.142,
  response_time_average_seconds: 0.143,
  total_time_average_seconds: 0.144,
  max_queue_time_seconds: 1.141,
  max_connect_time_seconds: 1.142,
  max_response_time_seconds: 1.143,
  max_total_time_seconds: 1.144,
};

/** The families with a prefix that have one series and no label but the object's own. */
function numbers(
  families: ReadonlyMap<string, ParsedFamily>,
  prefix: string,
): Readonly<Record<string, number>> {
  const plain = ({ labels }: Series) => !('state' in labels) && !('code' in labels);
  return Object.fromEntries(
    [...families]
      .filter(([name]) => name.startsWith(prefix))
      .flatMap(([name, { series }]) =>
        series.filter(plain).map(({ value }) => [name.slice(prefix.length), value] as const),
      ),
  );
}

test('resolvers are told in HAProxy’s metrics by nameserver, and in Vane’s by what is followed in a Consul', async () => {
  const families = await scrape(systemView(), only('resolver'));
  const told = [...families].map(([name, { type }]) => [name, type, ...values(families, name)].join(' '));
  const names =
    'sent send_error valid update cname cname_error any_err nx timeout refused other invalid too_big truncated outdated';
  expect(told.slice(0, 15)).toEqual(
    names.split(' ').map((name, i) => `haproxy_resolver_${name} gauge corp,ns1 ${281 + i}`),
  );
  expect(told.slice(15)).toEqual([
    'vane_resolver_up gauge corp,service web 1',
    'vane_resolver_index gauge corp,service web 7',
    'vane_resolver_age_seconds gauge corp,service web 1.5',
    'vane_resolver_fallback gauge corp,service web 0',
    'vane_resolver_failures_total counter corp,service web 2',
  ]);
});
