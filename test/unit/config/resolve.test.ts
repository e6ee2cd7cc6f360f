import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';
import type { RuntimeConfig } from '../../../src/config/runtime/config.ts';
import type { DnsConfig } from '../../../src/config/runtime/registry.ts';

const context = { env: {}, hostname: 'lb-host', cwd: '/srv/vane' };

function load(text: string): RuntimeConfig {
  return parseConfig([{ file: 'vane.yaml', text }], context);
}

/** `line:column path: message`, of everything that is wrong. */
function problems(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
  }
  return [];
}

const frontend = 'bind: 127.0.0.1:8080, default_backend: web';
const web = 'backends: { web: { servers: [web.service.consul] } }';

/** Consul's. */
const DNS_DEFAULTS: DnsConfig = {
  altDomain: undefined,
  recursors: [],
  recursorTimeout: 2_000,
  nodeTtl: 0,
  serviceTtls: {},
  onlyPassing: false,
  udpAnswerLimit: 3,
  aRecordLimit: 0,
  enableTruncate: false,
  soa: { refresh: 3_600, retry: 600, expire: 86_400, minTtl: 0 },
  recursionAvailable: false,
  ptrNxdomain: false,
};

test("the design's example", () => {
  const config = load(readFileSync(new URL('../../fixtures/configs/design.yaml', import.meta.url), 'utf8'));
  const failing = {
    retryOn: undefined,
    retryBudget: { percent: 20, perSecond: 10 },
    bufsize: 16_384,
    outlier: { errors: undefined, time: 30_000, max: 10 },
    maxConnections: undefined,
  };

  const always = { weight: 1, maxconn: 0, drain: 30_000 };
  expect(config).toEqual({
    global: {
      node: 'lb-1',
      datacenter: 'dc1',
      dataDir: '/srv/vane/data',
      workers: 0,
      maxconn: 20_000,
      log: { level: 'info', format: 'json' },
      stats: { bind: { host: '127.0.0.1', port: 8404 } },
      grace: 0,
      closeSpread: 1_000,
      hardStopAfter: 30_000,
      pidfile: undefined,
    },
    registry: {
      http: { host: '127.0.0.1', port: 8500 },
      access: { anonymous: 'admin', grants: [], allowedHosts: undefined },
      dns: { host: '127.0.0.1', port: 8600 },
      domain: 'consul',
      store: { kind: 'sqlite', file: '/srv/vane/data/registry.db' },
      services: [],
      scriptChecks: 'files',
      externalChecks: false,
      nodeAddress: '127.0.0.1',
      dnsConfig: DNS_DEFAULTS,
      datacenters: [],
      warningsFail: false,
      lenientFields: false,
      httpConnectionsPerClient: 1_000,
    },
    resolvers: [
      {
        id: 'corp',
        nameservers: [
          { name: 'ns1', transport: 'udp', host: '10.0.0.2', port: 53 },
          { name: 'ns2', transport: 'tcp', host: '10.0.0.3', port: 53 },
        ],
        kind: 'nameservers',
        resolveRetries: 3,
        timeoutRetry: 1_000,
        timeoutResolve: 2_000,
        acceptedPayloadSize: 1_232,
        hold: {
          valid: 0,
          nx: 30_000,
          obsolete: 0,
          timeout: undefined,
          refused: undefined,
          other: undefined,
        },
        ttl: undefined,
      },
    ],
    frontends: [
      {
        name: 'www',
        mode: 'http',
        bind: [{ host: '127.0.0.1', port: 8080 }],
        maxconn: 20_000,
        timeout: { client: 30_000, httpRequest: 10_000, httpKeepAlive: 10_000, tunnel: 3_600_000 },
        options: { forwardfor: true, accessLog: 'off', httpLane: 'direct', maxConcurrentStreams: 100 },
        httpRequest: [
          {
            action: 'deny',
            status: 403,
            condition: {
              unless: false,
              anyOf: [
                [
                  {
                    negated: false,
                    tests: [
                      { fetch: { kind: 'path' }, match: 'beg', ignoreCase: false, patterns: ['/admin'] },
                    ],
                  },
                  {
                    negated: true,
                    tests: [
                      { fetch: { kind: 'src' }, match: 'ip', ignoreCase: false, patterns: ['10.0.0.0/8'] },
                    ],
                  },
                ],
              ],
            },
          },
        ],
        useBackend: [
          {
            backend: 'api',
            condition: {
              unless: false,
              anyOf: [
                [
                  {
                    negated: false,
                    tests: [
                      { fetch: { kind: 'path' }, match: 'beg', ignoreCase: false, patterns: ['/api/'] },
                    ],
                  },
                ],
              ],
            },
          },
        ],
        defaultBackend: 'web',
      },
    ],
    backends: [
      {
        name: 'web',
        mode: 'http',
        balance: { kind: 'roundrobin' },
        servers: [
          {
            kind: 'domain',
            key: 'web.service.consul',
            domain: 'web.service.consul',
            port: undefined,
            resolvers: 'builtin',
            interval: 2_000,
            onEmpty: 'drain',
            ...always,
            backup: false,
            check: { inter: 2_000, fall: 3, rise: 2, port: undefined },
          },
          {
            kind: 'address',
            key: '10.0.0.9:80',
            host: '10.0.0.9',
            port: 80,
            ...always,
            backup: true,
            check: undefined,
          },
        ],
        retries: 3,
        redispatch: true,
        timeout: { connect: 5_000, server: 30_000, queue: 5_000, tunnel: 3_600_000, check: undefined },
        maxqueue: 1_024,
        ...failing,
        panicThreshold: 0,
        httpchk: undefined,
      },
      {
        name: 'api',
        mode: 'http',
        balance: { kind: 'roundrobin' },
        servers: [
          {
            kind: 'domain',
            key: '_api._tcp.service.consul',
            domain: '_api._tcp.service.consul',
            port: undefined,
            resolvers: 'builtin',
            interval: 1_000,
            onEmpty: 'drain',
            ...always,
            backup: false,
            check: undefined,
          },
        ],
        retries: 3,
        redispatch: true,
        timeout: { connect: 5_000, server: 30_000, queue: 5_000, tunnel: 3_600_000, check: undefined },
        maxqueue: 1_024,
        ...failing,
        panicThreshold: 0,
        httpchk: undefined,
      },
    ],
    mysqlVips: [],
  });
});

describe('defaults', () => {
  test('of a file that says nothing', () => {
    expect(load('{}')).toEqual({
      global: {
        node: 'lb-host',
        datacenter: 'dc1',
        dataDir: undefined,
        workers: 0,
        maxconn: 20_000,
        log: { level: 'info', format: 'json' },
        stats: { bind: { host: '127.0.0.1', port: 8404 } },
        grace: 0,
        closeSpread: 1_000,
        hardStopAfter: 30_000,
        pidfile: undefined,
      },
      registry: {
        http: { host: '127.0.0.1', port: 8500 },
        access: { anonymous: 'admin', grants: [], allowedHosts: undefined },
        dns: { host: '127.0.0.1', port: 8600 },
        domain: 'consul',
        store: { kind: 'memory' },
        services: [],
        scriptChecks: 'off',
        externalChecks: false,
        nodeAddress: '127.0.0.1',
        dnsConfig: DNS_DEFAULTS,
        datacenters: [],
        warningsFail: false,
        lenientFields: false,
        httpConnectionsPerClient: 1_000,
      },
      resolvers: [],
      frontends: [],
      backends: [],
      mysqlVips: [],
    });
  });

  test('a data folder makes the registry durable, unless told otherwise', () => {
    expect(load('global: { data-dir: /var/lib/vane }').registry?.store).toEqual({
      kind: 'sqlite',
      file: '/var/lib/vane/registry.db',
    });
    expect(load('{ global: { data-dir: d }, registry: { store: memory } }').registry?.store.kind).toBe(
      'memory',
    );
  });

  test('the node has the address of its API, where that is one address', () => {
    expect(load('registry: { http: 10.0.0.5:8500, anonymous: read }').registry?.nodeAddress).toBe('10.0.0.5');
    expect(load('registry: { http: :8500, anonymous: read }').registry?.nodeAddress).toBe('127.0.0.1');
    expect(load('registry: { http: off, node-address: 10.0.0.6 }').registry?.nodeAddress).toBe('10.0.0.6');
  });

  test("the DNS has Consul's settings, in whole seconds", () => {
    const { dnsConfig } =
      load(`registry:
  alt-domain: Lab.Example.
  recursors: [10.0.0.2, "[2001:db8::53]:5353"]
  dns-config:
    node-ttl: 30s
    service-ttl: { "*": 5s, Web: 1500ms, "db-*": 1m }
    only-passing: true
    udp-answer-limit: 8
    a-record-limit: 4
    enable-truncate: true
    recursor-timeout: 500ms
    soa: { refresh: 2h, min-ttl: 10s }
    recursion-available: true
    ptr-nxdomain: true`).registry ?? {};
    expect(dnsConfig).toEqual({
      altDomain: 'lab.example',
      recursors: [
        { host: '10.0.0.2', port: 53 },
        { host: '2001:db8::53', port: 5353 },
      ],
      recursorTimeout: 500,
      nodeTtl: 30,
      serviceTtls: { '*': 5, web: 1, 'db-*': 60 },
      onlyPassing: true,
      udpAnswerLimit: 8,
      aRecordLimit: 4,
      enableTruncate: true,
      soa: { refresh: 7_200, retry: 600, expire: 86_400, minTtl: 10 },
      recursionAvailable: true,
      ptrNxdomain: true,
    });
  });

  test('a recursor is an address, for its name could not be looked up', () => {
    expect(problems('registry: { recursors: [ns.example.com] }').join()).toContain('expected an IP address');
    expect(problems('registry: { recursors: [10.0.0.2, 127.0.0.1:8600] }').join()).toContain('itself');
  });

  test('doors can be shut', () => {
    const config = load('{ global: { stats: off }, registry: { http: off, dns: off } }');
    expect(config.global.stats).toBeUndefined();
    expect(config.registry).toMatchObject({ http: undefined, dns: undefined });
    expect(load('registry: off').registry).toBeUndefined();
  });

  test('frontends and backends take what they do not say from defaults, and timeouts from each other', () => {
    const config = load(`
defaults:
  mode: tcp
  retries: 1
  balance: leastconn
  maxconn: 50
  maxqueue: 10
  option: [no redispatch, forwardfor, tcplog, httpchk GET /up]
  timeout: { client: 1s, http-request: 2s, connect: 3s, server: 4s, check: 5s, tunnel: 6s }
frontends:
  a: { bind: ":1", default_backend: a }
  b:
    { bind: ":2", default_backend: b, mode: http, maxconn: 5, log-format: json, option: no forwardfor,
      timeout: { client: 7s, http-request: 8s, http-keep-alive: 9s, tunnel: 10s } }
  c: { bind: ":3", default_backend: a, option: no tcplog }
backends:
  a: { servers: [a.service.consul] }
  b:
    { servers: [b.service.consul], mode: http, retries: 0, balance: random, maxqueue: 0,
      option: [redispatch, no httpchk], timeout: { connect: 11s, server: 12s, queue: 13s, tunnel: 14s, check: 15s } }
`);
    expect(config.frontends).toMatchObject([
      {
        mode: 'tcp',
        maxconn: 50,
        options: { forwardfor: true, accessLog: 'haproxy', httpLane: 'direct', maxConcurrentStreams: 100 },
        timeout: { client: 1_000, httpRequest: 2_000, httpKeepAlive: 2_000, tunnel: 6_000 },
      },
      {
        mode: 'http',
        maxconn: 5,
        options: { forwardfor: false, accessLog: 'json', httpLane: 'direct', maxConcurrentStreams: 100 },
        timeout: { client: 7_000, httpRequest: 8_000, httpKeepAlive: 9_000, tunnel: 10_000 },
      },
      { options: { accessLog: 'off' } },
    ]);
    expect(config.backends).toMatchObject([
      {
        mode: 'tcp',
        retries: 1,
        redispatch: false,
        balance: { kind: 'leastconn' },
        maxqueue: 10,
        httpchk: { method: 'GET', uri: '/up' },
        timeout: { connect: 3_000, server: 4_000, queue: 3_000, tunnel: 6_000, check: 5_000 },
      },
      {
        mode: 'http',
        retries: 0,
        redispatch: true,
        balance: { kind: 'random', draws: 2 },
        maxqueue: 1_024,
        httpchk: undefined,
        timeout: { connect: 11_000, server: 12_000, queue: 13_000, tunnel: 14_000, check: 15_000 },
      },
    ]);
  });
});

describe('servers', () => {
  const corp = 'resolvers: { corp: { nameserver: { ns1: 10.0.0.2 } } }';
  const two =
    'resolvers: { corp: { nameserver: { ns1: 10.0.0.2 } }, edge: { nameserver: { ns1: 10.0.0.3 } } }';
  const serversOf = (text: string) => load(text).backends[0]?.servers;

  test.each([
    ['10.0.0.1:80', { kind: 'address', host: '10.0.0.1', port: 80, key: '10.0.0.1:80' }],
    ['"[::1]:80"', { kind: 'address', host: '::1', port: 80, key: '[::1]:80' }],
    ['localhost:80', { kind: 'address', host: '127.0.0.1', port: 80 }],
    ['{ address: 10.0.0.1, port: 80 }', { kind: 'address', port: 80, key: '10.0.0.1:80' }],
    [
      'web.service.consul',
      { kind: 'domain', domain: 'web.service.consul', resolvers: 'builtin', port: undefined },
    ],
    ['Web.Service.Consul.', { kind: 'domain', domain: 'web.service.consul', key: 'web.service.consul' }],
    [
      'web.service.consul:81',
      { kind: 'domain', port: 81, key: 'web.service.consul:81', resolvers: 'builtin' },
    ],
    ['api.example.com:443', { kind: 'domain', port: 443, resolvers: 'corp' }],
    ['{ domain: api.example.com, port: 443 }', { kind: 'domain', port: 443, key: 'api.example.com:443' }],
    ['_api._tcp.example.com', { kind: 'domain', port: undefined, resolvers: 'corp' }],
    ['{ domain: web.service.consul, resolvers: corp, port: 80 }', { resolvers: 'corp' }],
    ['{ domain: myconsul, port: 80 }', { resolvers: 'corp' }],
    ['{ domain: web.service.consul, check: true }', { check: { inter: 2_000, fall: 3, rise: 2 } }],
    ['{ domain: web.service.consul, check: false }', { check: undefined }],
    ['{ address: 10.0.0.1:80, weight: 0, maxconn: 5, drain: 0 }', { weight: 0, maxconn: 5, drain: 0 }],
    ['{ domain: web.service.consul, on-empty: keep, interval: 500ms }', { onEmpty: 'keep', interval: 500 }],
  ])('%s', (entry, expected) => {
    expect(serversOf(`${corp}\nbackends: { web: { servers: [ ${entry} ] } }`)).toMatchObject([expected]);
  });

  test.each([
    ['', '10.0.0.1', 'needs a port'],
    ['', '{ address: 10.0.0.1:80, port: 81 }', 'address says 80'],
    ['', '{ address: 10.0.0.1:80, interval: 1s }', 'interval is only for a domain'],
    ['', '{ address: 10.0.0.1:80, resolvers: corp }', 'resolvers is only for a domain'],
    ['', '{ domain: 10.0.0.1:80 }', 'write "address: 10.0.0.1:80"'],
    ['', '{ weight: 1 }', 'expected a domain or an address'],
    ['', '{ domain: web.example.com, port: 80 }', 'add a section to resolvers'],
    [two, '{ domain: web.example.com, port: 80 }', 'one of corp, edge'],
    [corp, 'web.example.com', 'needs a port'],
    [corp, '{ domain: web.service.consul, resolvers: corp }', 'needs a port'],
    ['registry: off', '{ domain: web.service.consul, resolvers: builtin }', 'the registry, which is off'],
    ['registry: off', 'web.service.consul', 'add a section to resolvers'],
    ['registry: { domain: example }', 'web.service.consul', 'outside the domain example'],
    ['', '{ domain: web.service.consul, interval: 0 }', 'at least 1ms'],
    ['', '{ domain: web.service.consul, weight: 257 }', 'at most 256'],
    ['', '10.0.0.1:80, { address: "10.0.0.1", port: 80 }', '10.0.0.1:80 is already in this backend'],
  ])('%s %s is refused', (others, entry, message) => {
    const found = problems(`${others}\nbackends: { web: { servers: [ ${entry} ] } }`);
    expect(found).toEqual([expect.stringContaining(message)]);
  });

  test('a bad port, domain or resolvers is told once, without what would follow from it', () => {
    for (const entry of [
      '{ domain: api.example.com, port: many }',
      '{ domain: "a b" }',
      '{ address: [1] }',
      '{ domain: web.example.com, port: 80, resolvers: [x] }',
    ]) {
      expect(problems(`${corp}\nbackends: { web: { servers: [ ${entry} ] } }`)).toHaveLength(1);
    }
  });
});

describe('one mistake is told once', () => {
  test.each([
    [
      'a bad mode',
      `{ frontends: { f: { ${frontend}, mode: tpc } }, backends: { web: { mode: tcp, servers: [a.service.consul] } } }`,
    ],
    [
      'a bad default mode',
      `{ defaults: { mode: tpc }, frontends: { f: { ${frontend} } }, backends: { web: { mode: tcp, servers: [a.service.consul] } } }`,
    ],
    ['a bad backend', `{ frontends: { f: { ${frontend} } }, backends: { web: [] } }`],
    [
      'a bad acl',
      `{ frontends: { f: { ${frontend}, acl: { a: paht /x }, use_backend: web if a } }, ${web} }`,
    ],
    [
      'an acl of another type',
      `{ frontends: { f: { ${frontend}, acl: { a: 5 }, use_backend: web if a } }, ${web} }`,
    ],
    [
      'an acl without tests',
      `{ frontends: { f: { ${frontend}, acl: { a: [] }, use_backend: web if a } }, ${web} }`,
    ],
    ['no servers', 'backends: { web: { servers: [] } }'],
    ['only bad servers', 'backends: { web: { servers: [5] } }'],
    ['no binds', `{ frontends: { f: { bind: [], default_backend: web } }, ${web} }`],
    ['no nameservers', 'resolvers: { corp: { nameserver: {} } }'],
    ['a bad nameserver', 'resolvers: { corp: { nameserver: { ns1: dns.example.com } } }'],
    ['a bad data-dir', '{ global: { data-dir: 5 }, registry: { store: sqlite } }'],
    ['a bad name', `{ frontends: { "a b": { ${frontend} } }, ${web} }`],
    [
      'a bad section',
      '{ resolvers: 5, backends: { web: { servers: [{ domain: a.b, port: 80, resolvers: 5 }] } } }',
    ],
  ])('%s', (_, text) => {
    expect(problems(text)).toHaveLength(text.includes('resolvers: 5,') ? 2 : 1);
  });
});

describe('workers', () => {
  test.each([
    ['0', 0],
    ['3', 3],
    ['auto', 6],
  ])('%s', (written, workers) => {
    const text = `global: { workers: ${written} }`;
    const { global } = parseConfig([{ file: 'vane.yaml', text }], { ...context, cores: 6 });
    expect(global.workers).toBe(workers);
  });

  test.each(['-1', '65', '1.5', 'all'])('%s are not taken', (written) => {
    expect(problems(`global: { workers: ${written} }`)).toEqual([
      expect.stringMatching(/^1:20 global\.workers: /),
    ]);
  });
});

describe('frontends', () => {
  test.each([
    ['http-request: deny, mode: tcp', 'http-request needs mode http'],
    ['option: httplog, mode: tcp', 'option httplog needs mode http'],
    ['option: redispatch', 'unknown option'],
    ['timeout: { connect: 5s }', 'unknown key'],
    ['log-format: "%ci"', 'expected json'],
    ['maxconn: 0', 'at least 1'],
  ])('%s', (setting, message) => {
    const text = `{ frontends: { f: { ${frontend}, ${setting} } }, backends: { web: { mode: ${setting.includes('tcp') ? 'tcp' : 'http'}, servers: [w.service.consul] } } }`;
    expect(problems(text)).toEqual([expect.stringContaining(message)]);
  });

  test.each([
    ['127.0.0.1:80', '127.0.0.1:80', true],
    ['127.0.0.1:80', '*:80', true],
    ['"[::]:80"', '127.0.0.1:80', true],
    ['"[::]:80"', '":80"', true],
    ['"[::1]:80"', '":80"', false],
    ['"[0:0::1]:80"', '"[::1]:80"', true],
    ['127.0.0.1:80', '127.0.0.2:80', false],
    ['127.0.0.1:80', '127.0.0.1:81', false],
    ['127.0.0.1:0', '127.0.0.1:0', false],
  ])('bind %s and %s', (a, b, clash) => {
    const text = `{ frontends: { f: { bind: [${a}, ${b.replace(/^\*.*/, '"$&"')}], default_backend: web } }, ${web} }`;
    expect(problems(text)).toHaveLength(clash ? 1 : 0);
  });

  test('a clash between the doors of the registry is told at what the file says', () => {
    expect(problems('registry:\n  http: 127.0.0.1:8600')).toEqual([
      '2:9 registry.http: 127.0.0.1:8600 is already taken: registry.dns by default listens on 127.0.0.1:8600',
    ]);
  });
});

test('the result is frozen to the bottom', () => {
  const { backends, global } = load(web);
  expect(() => Object.assign(backends[0]?.servers[0] ?? {}, { weight: 5 })).toThrow(TypeError);
  expect(() => Object.assign(global.log, { level: 'debug' })).toThrow(TypeError);
  expect(Object.isFrozen(backends)).toBe(true);
});
