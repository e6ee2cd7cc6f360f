import { describe, expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { nameserverResolver } from '../../../src/discovery/from-nameservers.ts';
import type { Endpoint, Resolution } from '../../../src/discovery/resolution.ts';
import type { AddressRecord, DnsReply, LookupType, SrvRecord } from '../../../src/dns/client.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { holding } from '../../helpers/hold-rules.ts';

const never = new AbortController().signal;

/** What the nameservers say of a name and type: addresses, SRV records, or how they fail. */
type Said = readonly string[] | readonly SrvRecord[] | 'NXDOMAIN' | 'SERVFAIL' | 'timeout';

const nodata: Said = [];

/** What is not scripted is answered as an honest nameserver would: there is nothing of that type. */
function setUp(says: Readonly<Record<string, Said>>, additionals: readonly AddressRecord[] = []) {
  const asked: string[] = [];
  const query = async (name: string, type: LookupType): Promise<DnsReply> => {
    const question = `${type} ${name}`;
    asked.push(question);
    const said = says[question] ?? nodata;
    if (said === 'NXDOMAIN') return { rcode: 'NXDOMAIN' };
    if (said === 'SERVFAIL') throw new VaneError('RESOLVE_FAILED', `${question}: SERVFAIL`);
    if (said === 'timeout') throw new VaneError('RESOLVE_TIMEOUT', `${question}: silence`);
    const records = said.map((one) => (typeof one === 'string' ? addressRecord(name, one) : one));
    return { rcode: 'NOERROR', records, additionals };
  };
  const resolver = nameserverResolver('corp', { query }, holding(), new FakeClock());
  return { resolver, asked };
}

function addressRecord(name: string, address: string): AddressRecord {
  return { type: address.includes(':') ? 'AAAA' : 'A', name, address, ttl: 0 };
}

function srv(target: string, port: number, weight = 1, priority = 1): SrvRecord {
  return { type: 'SRV', name: '_api._tcp.example.com', target, port, weight, priority, ttl: 0 };
}

const lastly = (address: string, host = 'web.example.com'): Endpoint => ({
  address,
  port: 80,
  weight: 1,
  priority: 0,
  name: address,
  host,
});

/** `name weight/priority` of every endpoint, or how it failed. */
function shown(resolution: Resolution): string[] {
  if (!resolution.ok) return [`${resolution.error.code} ${resolution.error.message}`];
  return resolution.endpoints.map(({ name, weight, priority }) => `${name} ${weight}/${priority}`);
}

describe('a host name', () => {
  const resolve = async (a: Said, aaaa: Said, last: readonly Endpoint[] = []) => {
    const { resolver, asked } = setUp({ 'A web.example.com': a, 'AAAA web.example.com': aaaa });
    const resolution = await resolver.resolve('web.example.com', 80, never, last);
    expect(asked).toEqual(['A web.example.com', 'AAAA web.example.com']);
    return resolution;
  };

  test.each<[string, Said, Said, string[]]>([
    [
      'both families',
      ['10.0.0.2', '10.0.0.1'],
      ['::1'],
      ['10.0.0.1:80 1/0', '10.0.0.2:80 1/0', '[::1]:80 1/0'],
    ],
    ['IPv4 only', ['10.0.0.1'], nodata, ['10.0.0.1:80 1/0']],
    ['IPv6 only', nodata, ['::1'], ['[::1]:80 1/0']],
    ['IPv6 only, IPv4 denied outright', 'NXDOMAIN', ['::1'], ['[::1]:80 1/0']],
    ['neither', nodata, nodata, []],
    ['no such name', 'NXDOMAIN', 'NXDOMAIN', []],
  ])('with %s', async (_, a, aaaa, expected) => {
    const resolution = await resolve(a, aaaa, [lastly('10.0.0.9'), lastly('::9')]);
    expect(shown(resolution)).toEqual(expected);
    expect(resolution).toMatchObject({ ok: true, excluded: [] });
    expect(resolution).not.toHaveProperty('gap');
  });

  test('that never had IPv6 does not lose IPv4 to a nameserver that fails for AAAA', async () => {
    const resolution = await resolve(['10.0.0.1'], 'SERVFAIL', [lastly('10.0.0.1'), lastly('10.0.0.2')]);
    expect(shown(resolution)).toEqual(['10.0.0.1:80 1/0']);
    expect(resolution).toMatchObject({ gap: { message: 'AAAA web.example.com: SERVFAIL' } });
  });

  test('keeps the last addresses of a family that falls silent, and only those', async () => {
    const last = ['10.0.0.1', '10.0.0.2', '::1', '::2'].map((address) => lastly(address));
    const others = [lastly('::9', 'other.example.com')];
    expect(shown(await resolve(['10.0.0.1'], 'timeout', [...last, ...others]))).toEqual([
      '10.0.0.1:80 1/0',
      '[::1]:80 1/0',
      '[::2]:80 1/0',
    ]);
    expect(shown(await resolve('timeout', ['::2'], [...last, ...others]))).toEqual([
      '10.0.0.1:80 1/0',
      '10.0.0.2:80 1/0',
      '[::2]:80 1/0',
    ]);
  });

  test.each<[string, Said, Said, string]>([
    ['IPv4 is not there and IPv6 fails', nodata, 'timeout', 'RESOLVE_TIMEOUT AAAA web.example.com: silence'],
    ['IPv6 is denied and IPv4 fails', 'SERVFAIL', 'NXDOMAIN', 'RESOLVE_FAILED A web.example.com: SERVFAIL'],
    [
      'both fail alike',
      'timeout',
      'timeout',
      'RESOLVE_TIMEOUT A web.example.com: silence; AAAA web.example.com: silence',
    ],
    [
      'both fail, each in its way',
      'timeout',
      'SERVFAIL',
      'RESOLVE_FAILED A web.example.com: silence; AAAA web.example.com: SERVFAIL',
    ],
  ])('has not resolved when %s', async (_, a, aaaa, expected) => {
    expect(shown(await resolve(a, aaaa, [lastly('10.0.0.1')]))).toEqual([expected]);
  });

  test('needs a port', async () => {
    const { resolver, asked } = setUp({});
    expect(await resolver.resolve('web.example.com', undefined, never, [])).toMatchObject({
      ok: false,
      error: { code: 'RESOLVE_FAILED', message: expect.stringContaining('needs a port') },
    });
    expect(asked).toEqual([]);
  });

  test('says where each endpoint comes from', async () => {
    expect(await resolve(['10.0.0.1'], nodata)).toMatchObject({
      endpoints: [{ address: '10.0.0.1', port: 80, host: 'web.example.com' }],
    });
  });
});

describe('a service name', () => {
  const name = '_api._tcp.example.com';
  const resolve = async (
    says: Readonly<Record<string, Said>>,
    additionals: readonly AddressRecord[] = [],
    options: { port?: number; last?: readonly Endpoint[] } = {},
  ) => {
    const { resolver, asked } = setUp(says, additionals);
    const resolution = await resolver.resolve(name, options.port, never, options.last ?? []);
    return { resolution, asked, shown: shown(resolution) };
  };

  test.each<[string, SrvRecord[], string[]]>([
    [
      'ports, weights and priorities',
      [srv('a', 81, 5, 1), srv('a', 80, 3, 2)],
      ['10.0.0.1:80 3/2', '10.0.0.1:81 5/1'],
    ],
    [
      'weight 0 where all of a priority have it',
      [srv('a', 80, 0), srv('a', 81, 0)],
      ['10.0.0.1:80 1/1', '10.0.0.1:81 1/1'],
    ],
    [
      'weight 0 beside others',
      [srv('a', 80, 0), srv('a', 81, 65_535)],
      ['10.0.0.1:80 0/1', '10.0.0.1:81 65535/1'],
    ],
    [
      'weight 0, each priority for itself',
      [srv('a', 80, 0, 1), srv('a', 81, 0, 2), srv('a', 82, 4, 2)],
      ['10.0.0.1:80 1/1', '10.0.0.1:81 0/2', '10.0.0.1:82 4/2'],
    ],
  ])('has %s', async (_, records, expected) => {
    const { shown } = await resolve({ [`SRV ${name}`]: records, 'A a': ['10.0.0.1'] });
    expect(shown).toEqual(expected);
  });

  test('that does not exist, or has no records, has no servers', async () => {
    const none = { ok: true, endpoints: [], excluded: [] };
    expect((await resolve({ [`SRV ${name}`]: 'NXDOMAIN' })).resolution).toEqual(none);
    expect((await resolve({})).resolution).toEqual(none);
  });

  test('whose look-up fails has not resolved', async () => {
    expect((await resolve({ [`SRV ${name}`]: 'timeout' })).shown).toEqual([
      `RESOLVE_TIMEOUT SRV ${name}: silence`,
    ]);
  });

  test('the configured port stands in for those of the records', async () => {
    const says = { [`SRV ${name}`]: [srv('a', 81), srv('b', 0)], 'A a': ['10.0.0.1'], 'A b': ['10.0.0.2'] };
    expect((await resolve(says, [], { port: 9000 })).shown).toEqual([
      '10.0.0.1:9000 1/1',
      '10.0.0.2:9000 1/1',
    ]);
    const { shown, resolution } = await resolve(says);
    expect(shown).toEqual(['10.0.0.1:81 1/1']);
    expect(resolution).toMatchObject({ excluded: [{ address: 'b', port: 0, why: 'b has no port' }] });
  });

  test('addresses that were sent along save asking', async () => {
    const additionals = [addressRecord('a', '10.0.0.1'), addressRecord('b', '10.0.0.2')];
    const { shown, asked } = await resolve({ [`SRV ${name}`]: [srv('b', 81), srv('a', 80)] }, additionals);
    expect(shown).toEqual(['10.0.0.1:80 1/1', '10.0.0.2:81 1/1']);
    expect(asked).toEqual([`SRV ${name}`]);
  });

  test.each<[string, AddressRecord[]]>([
    ['does not have every target', [addressRecord('a', '10.0.0.1')]],
    [
      'does not have the same families for all',
      [addressRecord('a', '10.0.0.1'), addressRecord('a', '::1'), addressRecord('b', '10.0.0.2')],
    ],
  ])('an additional section that %s may have been cut: all targets are asked for', async (_, additionals) => {
    const says = {
      [`SRV ${name}`]: [srv('a', 80), srv('b', 81)],
      'A a': ['10.0.0.1'],
      'AAAA a': ['::1'],
      'A b': ['10.0.0.2'],
      'AAAA b': ['::2'],
    };
    const { shown, asked } = await resolve(says, additionals);
    expect(shown).toEqual(['10.0.0.1:80 1/1', '10.0.0.2:81 1/1', '[::1]:80 1/1', '[::2]:81 1/1']);
    expect(asked.sort()).toEqual(['A a', 'A b', 'AAAA a', 'AAAA b', `SRV ${name}`]);
  });

  test('a target is asked for once, however many records name it', async () => {
    const { asked } = await resolve({ [`SRV ${name}`]: [srv('a', 80), srv('a', 81)], 'A a': ['10.0.0.1'] });
    expect(asked).toEqual([`SRV ${name}`, 'A a', 'AAAA a']);
  });

  describe('with a target that cannot be looked up', () => {
    const says = {
      [`SRV ${name}`]: [srv('a', 80), srv('b', 81)],
      'A a': ['10.0.0.1'],
      'A b': 'timeout',
      'AAAA b': 'timeout',
    } as const;
    const gap = { message: 'A b: silence; AAAA b: silence' };

    test('keeps the addresses that it had', async () => {
      const last = [lastly('10.0.0.2', 'b'), lastly('::2', 'b'), lastly('10.0.0.9', 'a')];
      const { shown, resolution } = await resolve(says, [], { last });
      expect(shown).toEqual(['10.0.0.1:80 1/1', '10.0.0.2:81 1/1', '[::2]:81 1/1']);
      expect(resolution).toMatchObject({ gap, excluded: [] });
    });

    test('has the others, and says what is missing, where it is new', async () => {
      const { shown, resolution } = await resolve(says);
      expect(shown).toEqual(['10.0.0.1:80 1/1']);
      expect(resolution).toMatchObject({ gap, excluded: [{ why: 'b cannot be looked up' }] });
    });

    test('and no other has not resolved', async () => {
      const { shown } = await resolve({ ...says, [`SRV ${name}`]: [srv('b', 81)] });
      expect(shown).toEqual([`RESOLVE_TIMEOUT ${gap.message}`]);
    });
  });

  test('with more servers than anyone can use has the first ones, and says so', async () => {
    const addresses = Array.from({ length: 5_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const { resolution } = await resolve({ [`SRV ${name}`]: [srv('a', 80)], 'A a': addresses });
    expect(resolution).toMatchObject({
      ok: true,
      gap: { message: `${name} has 5000 servers, of which 4096 are used` },
    });
    expect(shown(resolution)).toHaveLength(4_096);
  });

  test('a target that does not exist, or has no address, is left out by name', async () => {
    const { shown, resolution } = await resolve({
      [`SRV ${name}`]: [srv('a', 80), srv('gone', 81), srv('bare', 82)],
      'A a': ['10.0.0.1'],
      'A gone': 'NXDOMAIN',
      'AAAA gone': 'NXDOMAIN',
    });
    expect(shown).toEqual(['10.0.0.1:80 1/1']);
    expect(resolution).toMatchObject({
      excluded: [
        { address: 'gone', port: 81, name: 'gone:81', why: 'gone does not exist' },
        { address: 'bare', port: 82, name: 'bare:82', why: 'bare has no address' },
      ],
    });
  });

  test('one family of one target that fails keeps what it had, and not what others had', async () => {
    const says = {
      [`SRV ${name}`]: [srv('a', 80), srv('b', 81)],
      'A a': ['10.0.0.1'],
      'AAAA a': 'timeout',
      'A b': ['10.0.0.2'],
    } as const;
    const last = [lastly('::1', 'a'), lastly('::2', 'b'), lastly('10.0.0.9', 'a')];
    const { shown, resolution } = await resolve(says, [], { last });
    expect(shown).toEqual(['10.0.0.1:80 1/1', '10.0.0.2:81 1/1', '[::1]:80 1/1']);
    expect(resolution).toMatchObject({ gap: { message: 'AAAA a: silence' } });
  });

  test('the order of the records does not show', async () => {
    const says = { 'A a': ['10.0.0.2', '10.0.0.1'], 'A b': ['10.0.0.3'] };
    const one = await resolve({ ...says, [`SRV ${name}`]: [srv('a', 80), srv('b', 80), srv('a', 79)] });
    const two = await resolve({ ...says, [`SRV ${name}`]: [srv('b', 80), srv('a', 79), srv('a', 80)] });
    expect(one.shown).toEqual([
      '10.0.0.1:79 1/1',
      '10.0.0.1:80 1/1',
      '10.0.0.2:79 1/1',
      '10.0.0.2:80 1/1',
      '10.0.0.3:80 1/1',
    ]);
    expect(two.resolution).toEqual(one.resolution);
  });
});
