import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diffConfig } from '../../../src/config/diff.ts';
import { parseConfig } from '../../../src/config/load.ts';

const BASE = `
global: { node: lb-1, data-dir: /d }
resolvers: { corp: { nameserver: { ns1: 10.0.0.2 } } }
frontends:
  a: { bind: ":1", default_backend: x }
  b: { bind: ":2", default_backend: y }
backends:
  x: { servers: [x.service.consul] }
  y: { servers: [y.service.consul] }
`;

function load(text: string) {
  return parseConfig([{ file: 'vane.yaml', text }], { env: {}, hostname: 'lb-1', cwd: '/' });
}

function changes(from: string, to: string) {
  return diffConfig(load(from), load(to));
}

describe('diff of two configurations', () => {
  test('none between equal ones, whatever their order', () => {
    expect(changes(BASE, BASE)).toEqual([]);
    const reordered = BASE.replace(/( {2}x: .*\n)( {2}y: .*\n)/, '$2$1').replace(
      /( {2}a: .*\n)( {2}b: .*\n)/,
      '$2$1',
    );
    expect(reordered).not.toBe(BASE);
    expect(changes(BASE, reordered)).toEqual([]);
  });

  test.each([
    [
      '  y: { servers: [y.service.consul] }',
      '  y: { servers: [z.service.consul] }',
      [{ kind: 'changed', section: 'backends', name: 'y' }],
    ],
    ['  b: { bind: ":2", default_backend: y }\n', '', [{ kind: 'removed', section: 'frontends', name: 'b' }]],
    [
      'backends:\n',
      'backends:\n  z: { servers: [z.service.consul] }\n',
      [{ kind: 'added', section: 'backends', name: 'z' }],
    ],
    ['ns1: 10.0.0.2', 'ns1: 10.0.0.3', [{ kind: 'changed', section: 'resolvers', name: 'corp' }]],
    [
      'corp:',
      'edge:',
      [
        { kind: 'removed', section: 'resolvers', name: 'corp' },
        { kind: 'added', section: 'resolvers', name: 'edge' },
      ],
    ],
    [
      'node: lb-1',
      'node: lb-1, workers: 2',
      [{ kind: 'needs-restart', path: 'global.workers', from: 0, to: 2 }],
    ],
    [
      'node: lb-1',
      'node: lb-1, pidfile: /run/vane.pid',
      [{ kind: 'needs-restart', path: 'global.pidfile', from: undefined, to: '/run/vane.pid' }],
    ],
    ['node: lb-1', 'node: lb-2', [{ kind: 'needs-restart', path: 'global.node', from: 'lb-1', to: 'lb-2' }]],
    [
      'data-dir: /d',
      'data-dir: /e',
      [
        { kind: 'needs-restart', path: 'global.data-dir', from: '/d', to: '/e' },
        {
          kind: 'needs-restart',
          path: 'registry.store',
          from: { kind: 'sqlite', file: '/d/registry.db' },
          to: { kind: 'sqlite', file: '/e/registry.db' },
        },
      ],
    ],
    [
      'node: lb-1',
      'node: lb-1, log: { level: debug }, hard-stop-after: 5s, grace: 1s, close-spread-time: 2s',
      [
        { kind: 'setting', path: 'global.log' },
        { kind: 'setting', path: 'global.grace' },
        { kind: 'setting', path: 'global.close-spread-time' },
        { kind: 'setting', path: 'global.hard-stop-after' },
      ],
    ],
    [
      'resolvers:',
      'registry: { services: services.d }\nresolvers:',
      [{ kind: 'setting', path: 'registry.services' }],
    ],
    [
      'resolvers:',
      'registry: { datacenters: { dc2: { http: "http://127.0.0.1:1", token: secret } } }\nresolvers:',
      [{ kind: 'setting', path: 'registry.datacenters' }],
    ],
    [
      'resolvers:',
      'registry: { dns: off }\nresolvers:',
      [
        {
          kind: 'needs-restart',
          path: 'registry.dns',
          from: { host: '127.0.0.1', port: 8600 },
          to: undefined,
        },
      ],
    ],
  ])('%j to %j', (from, to, expected) => {
    expect(BASE).toContain(from);
    expect(changes(BASE, BASE.replace(from, to))).toEqual(expected);
  });

  test('global.maxconn is a setting, and changes the frontends that have it from there', () => {
    expect(changes(BASE, BASE.replace('node: lb-1', 'node: lb-1, maxconn: 7'))).toEqual([
      { kind: 'setting', path: 'global.maxconn' },
      { kind: 'changed', section: 'frontends', name: 'a' },
      { kind: 'changed', section: 'frontends', name: 'b' },
    ]);
  });

  test('a registry that is shut is told setting by setting', () => {
    const base = 'backends: { x: { servers: [10.0.0.1:80] } }';
    const paths = changes(base, `registry: off\n${base}`).map((change) => 'path' in change && change.path);
    expect(paths).toEqual([
      'registry.http',
      'registry.http-max-conns-per-client',
      'registry.dns',
      'registry.domain',
      'registry.store',
      'registry.script-checks',
      'registry.node-address',
      'registry.recursors',
      'registry.dns-config',
      'registry.tokens',
      'registry.anonymous',
    ]);
  });

  test('there is a change exactly when something differs, and it is mirrored', () => {
    const setting = fc.constantFrom(
      ...[
        'global: { node: n }',
        'global: { maxconn: 5 }',
        'global: { stats: off }',
        'registry: { domain: d }',
      ],
      ...[
        'registry: { script-checks: api }',
        'registry: { docker-host: "unix:///d.sock" }',
        'registry: off',
        'defaults: { retries: 1 }',
        'defaults: { mode: tcp }',
      ],
      ...['defaults: { option: forwardfor }', 'resolvers: { r: { nameserver: { n: 1.1.1.1 } } }', '{}'],
    );
    const rest =
      'frontends: { f: { bind: ":1", default_backend: x } }\nbackends: { x: { servers: [1.1.1.1:1] } }';
    const config = setting.map((line) => load(line === '{}' ? rest : `${line}\n${rest}`));
    fc.assert(
      fc.property(config, config, (a, b) => {
        const there = diffConfig(a, b);
        expect(there.length === 0).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(diffConfig(b, a)).toHaveLength(there.length);
      }),
    );
  });
});
