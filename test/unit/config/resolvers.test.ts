import { describe, expect, test } from 'vitest';
import { parseInitAddr, parseNetworks } from '../../../src/config/address-lines.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';
import { nameserversOf } from '../../../src/config/resolv-conf.ts';
import type { ResolveContext } from '../../../src/config/resolve/context.ts';
import { resolveResolvers } from '../../../src/config/resolve/resolvers.ts';
import type { DomainSource } from '../../../src/config/runtime/servers.ts';
import type { UserConfig } from '../../../src/config/schema/user-config.ts';

const WEB = 'backends: { web: { servers: [{ domain: web.example.com, port: 80 }] } }';

function load(section: string, rest = WEB) {
  const text = `resolvers: { corp: { nameserver: { ns1: 10.0.0.2 }, ${section} } }\n${rest}`;
  return parseConfig([{ file: 'vane.yaml', text }], { env: {}, hostname: 'lb', cwd: '/srv' });
}

function sourceOf(section: string, server = ''): DomainSource {
  const servers = `[{ domain: web.example.com, port: 80, ${server} }]`;
  const source = load(section, `backends: { web: { servers: ${servers} } }`).backends[0]?.servers[0];
  if (source?.kind !== 'domain') throw new Error('no domain');
  return source;
}

function problems(section: string, rest = WEB): readonly string[] {
  try {
    load(section, rest);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

test('holds are what is written; for failures there are none unless they are', () => {
  expect(load('').resolvers[0]).toMatchObject({
    hold: { valid: 0, nx: 30_000, obsolete: 0, timeout: undefined, refused: undefined, other: undefined },
  });
  const all = 'hold: { valid: 1s, nx: 2s, obsolete: 3s, timeout: 4s, refused: 5s, other: 0 }';
  expect(load(all).resolvers[0]).toMatchObject({
    hold: { valid: 1_000, nx: 2_000, obsolete: 3_000, timeout: 4_000, refused: 5_000, other: 0 },
  });
});

describe('how often a name is looked up', () => {
  test.each<[string, string, string, number]>([
    ['is every two seconds', '', '', 2_000],
    ['says timeout resolve of the section', 'timeout: { resolve: 5s }', '', 5_000],
    ['says the interval of the server before that', 'timeout: { resolve: 5s }', 'interval: 1s', 1_000],
    ['says max-ttl at most, where TTLs count', 'max-ttl: 1m, timeout: { resolve: 5s }', '', 60_000],
    ['says the interval at most, where TTLs count', 'max-ttl: 1m', 'interval: 10s', 10_000],
  ])('%s', (_, section, server, interval) => {
    expect(sourceOf(section, server).interval).toBe(interval);
  });

  test.each<[string, object | undefined]>([
    ['', undefined],
    ['min-ttl: 5s', { min: 5_000, max: 300_000 }],
    ['min-ttl: 10m', { min: 600_000, max: 600_000 }],
    ['max-ttl: 30s', { min: 1_000, max: 30_000 }],
    ['max-ttl: 500ms', { min: 500, max: 500 }],
    ['min-ttl: 0, max-ttl: 30s', { min: 0, max: 30_000 }],
  ])('TTLs count within bounds that are given: %s', (section, ttl) => {
    expect(load(section).resolvers[0]).toMatchObject({ ttl });
  });

  test('bounds that contradict each other are told', () => {
    expect(problems('min-ttl: 1m, max-ttl: 5s')).toEqual([
      'resolvers.corp.min-ttl: is longer than max-ttl (5000 ms)',
    ]);
  });
});

describe('wishes about addresses', () => {
  test('are read', () => {
    const server = 'resolve-prefer: ipv4, resolve-net: [10.0.0.0/8, "2001:DB8::/32"], init-addr: "last,libc"';
    expect(sourceOf('', server)).toMatchObject({
      preference: { family: 'ipv4', networks: ['10.0.0.0/8', '2001:db8::/32'] },
      initAddr: [{ kind: 'last' }, { kind: 'libc' }],
    });
    expect(sourceOf('', 'resolve-net: 10.0.0.0/8')).toMatchObject({
      preference: { family: undefined, networks: ['10.0.0.0/8'] },
    });
    expect(sourceOf('')).not.toHaveProperty('preference');
  });

  test('are for names only', () => {
    for (const wish of ['resolve-prefer: ipv4', 'resolve-net: 10.0.0.0/8', 'init-addr: none']) {
      const rest = `backends: { web: { servers: [{ address: "10.0.0.1:80", ${wish} }] } }`;
      expect(problems('', rest)).toEqual([expect.stringContaining('only for a domain')]);
    }
  });

  test.each([
    ['last,libc,none', [{ kind: 'last' }, { kind: 'libc' }, { kind: 'none' }]],
    [
      '10.0.0.1, 2001:DB8::1',
      [
        { kind: 'address', address: '10.0.0.1' },
        { kind: 'address', address: '2001:db8::1' },
      ],
    ],
  ])('init-addr %s', (text, value) => {
    expect(parseInitAddr(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['last,lib', 5, 'did you mean libc?'],
    ['last, web.example.com', 6, undefined],
    ['', 0, undefined],
  ])('init-addr %j is refused where it is wrong', (text, offset, suggestion) => {
    expect(parseInitAddr(text)).toMatchObject({ ok: false, offset, ...(suggestion ? { suggestion } : {}) });
  });

  test.each(['10.0.0.0/33', 'web', '10.0.0.0/8,', Array.from({ length: 33 }, () => '10.0.0.0/8').join()])(
    'resolve-net %s is refused',
    (text) => expect(parseNetworks(text).ok).toBe(false),
  );
});

describe('resolv.conf', () => {
  const file = [
    '# nameserver 10.9.9.9',
    'search example.com',
    'nameserver 10.0.0.53',
    'nameserver\t2001:db8::53   # a comment',
    '  nameserver fe80::1%eth0',
    'nameserver 10.0.0.53',
    'nameserver ns.example.com',
    'nameserver',
    'options ndots:5 timeout:1',
  ].join('\r\n');

  test('gives its nameservers, IPv6 with a zone too, each once', () => {
    expect(nameserversOf(file)).toEqual(['10.0.0.53', '2001:db8::53', 'fe80::1%eth0']);
  });

  function resolve(
    section: NonNullable<UserConfig['resolvers']>[string],
    readFile: ResolveContext['readFile'],
  ) {
    const told: string[] = [];
    const [resolved] = resolveResolvers(
      { corp: section },
      {
        ...{ hostname: 'lb', cwd: '/', cores: 1, readFile },
        keys: (path) => new Set(path.length === 2 ? Object.keys(section) : []),
        report: ({ path, message }) => told.push(`${path.join('.')}: ${message}`),
      },
    );
    return { told, nameservers: resolved?.kind === 'nameservers' ? resolved.nameservers : [] };
  }

  test('is asked beside the nameservers that are written, by port 53 and under its addresses as names', () => {
    const own = { transport: 'tcp', host: '10.0.0.2', port: 5353 } as const;
    const { told, nameservers } = resolve({ nameserver: { ns1: own }, 'parse-resolv-conf': true }, (path) => {
      expect(path).toBe('/etc/resolv.conf');
      return file;
    });
    expect(told).toEqual([]);
    expect(nameservers).toEqual([
      { name: 'ns1', ...own },
      { name: '10.0.0.53', transport: 'udp', host: '10.0.0.53', port: 53 },
      { name: '2001:db8::53', transport: 'udp', host: '2001:db8::53', port: 53 },
      { name: 'fe80::1%eth0', transport: 'udp', host: 'fe80::1%eth0', port: 53 },
    ]);
  });

  test('that cannot be read, or names nobody, is a mistake that is told', () => {
    const missing = () => {
      throw new Error('ENOENT: no such file or directory');
    };
    const at = 'resolvers.corp.parse-resolv-conf: /etc/resolv.conf';
    expect(resolve({ 'parse-resolv-conf': true }, missing).told).toEqual([
      `${at} cannot be read: ENOENT: no such file or directory`,
    ]);
    expect(resolve({ 'parse-resolv-conf': true }, () => 'search a.b').told).toEqual([
      `${at} names no nameserver`,
    ]);
  });

  test('brings no more nameservers than may be asked at once', () => {
    const many = Array.from({ length: 17 }, (_, i) => `nameserver 10.0.0.${i}`).join('\n');
    expect(resolve({ 'parse-resolv-conf': true }, () => many).told).toEqual([
      expect.stringContaining('17 nameservers: expected 16 at most'),
    ]);
  });
});
