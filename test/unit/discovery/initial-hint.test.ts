import { describe, expect, test } from 'vitest';
import type { InitAddr } from '../../../src/config/runtime/servers.ts';
import { preferredSet } from '../../../src/discovery/address-preference.ts';
import { initialHint } from '../../../src/discovery/initial-hint.ts';
import { endpoint } from './scripted-resolver.ts';

const last = { endpoints: [endpoint('10.0.0.9')], at: 5 };
const LAST: InitAddr = { kind: 'last' };
const LIBC: InitAddr = { kind: 'libc' };
const NONE: InitAddr = { kind: 'none' };
const ADDRESS: InitAddr = { kind: 'address', address: '10.0.0.1' };

describe('what stands for a name until it is known', () => {
  const found = async (
    initAddr: readonly InitAddr[] | undefined,
    known: typeof last | undefined,
    system: readonly string[] | 'fails' = ['10.0.0.5', '10.0.0.5', '10.0.0.6'],
    port: number | undefined = 80,
  ) => {
    const source = { domain: 'web.example.com', port, ...(initAddr ? { initAddr } : {}) };
    const hint = await initialHint(source, known, 1_000, async (host) => {
      expect(host).toBe('web.example.com');
      if (system === 'fails') throw new Error('ENOTFOUND');
      return system;
    });
    return hint?.endpoints.map(({ address, port }) => `${address}:${port}`).join(' ') ?? 'nothing';
  };

  test.each<[string, readonly InitAddr[] | undefined, typeof last | undefined, string]>([
    ['is what was known before, without init-addr', undefined, last, '10.0.0.9:80'],
    ['is nothing, without init-addr at a first start', undefined, undefined, 'nothing'],
    ['is the first way that gives something', [LAST, LIBC, ADDRESS], last, '10.0.0.9:80'],
    ['passes what gives nothing', [LAST, ADDRESS], undefined, '10.0.0.1:80'],
    ['is what the system says, each address once', [LAST, LIBC, NONE], undefined, '10.0.0.5:80 10.0.0.6:80'],
    ['ends with none', [NONE, ADDRESS], last, 'nothing'],
  ])('%s', async (_, ways, known, expected) => {
    expect(await found(ways, known)).toBe(expected);
  });

  test('does not depend on a system that knows nothing', async () => {
    expect(await found([LIBC, ADDRESS], undefined, 'fails')).toBe('10.0.0.1:80');
    expect(await found([LIBC], undefined, 'fails')).toBe('nothing');
  });

  test('is nothing for a service whose ports nobody knows', async () => {
    const source = { domain: '_api._tcp.example.com', port: undefined, initAddr: [ADDRESS] };
    expect(await initialHint(source, undefined, 0)).toBeUndefined();
  });
});

describe('preferred addresses', () => {
  const set = {
    endpoints: [
      endpoint('10.0.0.1', 80, { host: 'a' }),
      endpoint('192.168.0.1', 80, { host: 'a' }),
      endpoint('2001:db8::1', 80, { host: 'a' }),
      endpoint('2001:db8::2', 80, { host: 'b' }),
      endpoint('10.0.0.7', 81),
      endpoint('2001:db8::7', 81),
    ],
    excluded: [],
  };
  const chosen = (family: 'ipv4' | 'ipv6' | undefined, ...networks: string[]) =>
    preferredSet(set, { family, networks }).endpoints.map(({ address }) => address);

  test('of each host are those of the family, all where it has none; others are left alone', () => {
    expect(chosen('ipv4')).toEqual(['10.0.0.1', '192.168.0.1', '2001:db8::2', '10.0.0.7', '2001:db8::7']);
    expect(chosen('ipv6')).toEqual(['2001:db8::1', '2001:db8::2', '10.0.0.7', '2001:db8::7']);
  });

  test('are those in the networks, all where none is', () => {
    expect(chosen(undefined, '192.168.0.0/16', '2001:db8::2')).toEqual([
      ...['192.168.0.1', '2001:db8::2', '10.0.0.7', '2001:db8::7'],
    ]);
    expect(chosen('ipv4', '10.0.0.1/32')).toEqual([
      ...['10.0.0.1', '2001:db8::2', '10.0.0.7', '2001:db8::7'],
    ]);
  });

  test('without a wish are all: the same set', () => {
    expect(preferredSet(set, undefined)).toBe(set);
    expect(preferredSet(set, { family: undefined, networks: ['0.0.0.0/0', '::/0'] })).toBe(set);
  });
});
