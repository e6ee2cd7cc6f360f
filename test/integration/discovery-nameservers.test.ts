import type { Answer } from 'dns-packet';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { nameserverResolver } from '../../src/discovery/from-nameservers.ts';
import { registryResolver } from '../../src/discovery/from-registry.ts';
import type { Endpoint, Resolver } from '../../src/discovery/resolution.ts';
import { type WatchedSource, Watchers } from '../../src/discovery/watchers.ts';
import { NameserverClient } from '../../src/dns/client.ts';
import { createDnsServer } from '../../src/dns/server.ts';
import { catalogOf } from '../helpers/catalog-rows.ts';
import {
  type Asked,
  address,
  compressionLoop,
  type Reaction,
  type Script,
  type ScriptedDnsServer,
  srv,
  startDnsServer,
} from '../helpers/dns-server.ts';
import { eventually } from '../helpers/eventually.ts';
import { holding } from '../helpers/hold-rules.ts';
import { recordedLog } from '../helpers/registry.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const WEB = 'web.example.com';
const API = '_api._tcp.example.com';

/** How often one question is sent; silence is noticed after so many times 200 ms. */
const RETRIES = 2;

function resolverOf({ port }: { readonly port: number }, rules = holding()): Resolver {
  const client = new NameserverClient(
    {
      id: 'corp',
      nameservers: [{ name: 'ns1', transport: 'udp', host: '127.0.0.1', port }],
      resolveRetries: RETRIES,
      timeoutRetry: 200,
      acceptedPayloadSize: 512,
    },
    systemClock,
  );
  cleanups.push(() => client.close());
  return nameserverResolver('corp', client, rules, systemClock);
}

async function watching(script: Script, source: Partial<WatchedSource> = {}, rules = holding()) {
  const ns = await startDnsServer(script);
  cleanups.push(() => ns.close());
  const { log, lines } = recordedLog();
  const watchers = new Watchers({
    resolvers: new Map([['corp', resolverOf(ns, rules)]]),
    clock: systemClock,
    random: Math.random,
    log,
  });
  cleanups.push(() => watchers.stop());
  const subscribe = () => {
    const told: string[] = [];
    const subscription = watchers.subscribe(
      { domain: WEB, port: 80, resolvers: 'corp', interval: 10, onEmpty: 'drain', ...source },
      ({ endpoints, excluded }) => {
        const absent = excluded.map(({ why }) => `(${why})`);
        told.push([...endpoints.map(({ name }) => name), ...absent].join(' '));
      },
    );
    return Object.assign(subscription, { told });
  };
  return { ns, watchers, lines, subscribe, subscription: subscribe() };
}

/** Answers A with these and AAAA with nothing. */
const a =
  (...addresses: string[]): Script =>
  ({ type }) =>
    type === 'A' ? { answers: addresses.map((one) => address(WEB, one, 0)) } : {};

/** Waits until so many look-ups of the name have ended since now. */
async function lookUps(subscription: { readonly state: { readonly results: object } }, more: number) {
  const ended = () => Object.values(subscription.state.results).reduce((sum, n) => sum + n, 0);
  const enough = ended() + more;
  await eventually(() => expect(ended()).toBeGreaterThanOrEqual(enough));
}

const told = (subscription: { readonly told: readonly string[] }, ...sets: string[]) =>
  eventually(() => expect(subscription.told).toEqual(sets));

describe('a name', () => {
  test('is followed from one address to another', async () => {
    const { ns, subscription } = await watching(a('10.0.0.1'));
    await told(subscription, '10.0.0.1:80');
    ns.script(a('10.0.0.2'));
    await told(subscription, '10.0.0.1:80', '10.0.0.2:80');
    ns.script(a('10.0.0.2', '10.0.0.3'));
    await told(subscription, '10.0.0.1:80', '10.0.0.2:80', '10.0.0.2:80 10.0.0.3:80');
  });

  test('in another order is the same', async () => {
    const all = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
    const { subscription } = await watching((asked) =>
      a(...all.slice(asked.nth % 3), ...all.slice(0, asked.nth % 3))(asked),
    );
    await lookUps(subscription, 8);
    expect(subscription.told).toEqual(['10.0.0.1:80 10.0.0.2:80 10.0.0.3:80']);
  });

  test('that goes and comes back with all new servers is followed', async () => {
    const { ns, subscription } = await watching(a('10.0.0.1', '10.0.0.2'));
    await told(subscription, '10.0.0.1:80 10.0.0.2:80');
    ns.script(() => ({ rcode: 'NXDOMAIN' }));
    await told(subscription, '10.0.0.1:80 10.0.0.2:80', '');
    ns.script(a('10.0.0.8', '10.0.0.9'));
    await told(subscription, '10.0.0.1:80 10.0.0.2:80', '', '10.0.0.8:80 10.0.0.9:80');
  });

  test('that goes leaves its servers where the user wants them kept', async () => {
    const { ns, subscription, lines } = await watching(a('10.0.0.1'), { onEmpty: 'keep' });
    await told(subscription, '10.0.0.1:80');
    ns.script(() => ({}));
    await eventually(() => expect(subscription.state.kept).toBe(true));
    await lookUps(subscription, 3);
    expect(subscription.told).toEqual(['10.0.0.1:80']);
    expect(lines).toHaveLength(1);
  });

  test.each<[string, (asked: Asked) => Reaction]>([
    ['silence', () => 'drop'],
    ['SERVFAIL', () => ({ rcode: 'SERVFAIL' })],
    ['REFUSED', () => ({ rcode: 'REFUSED' })],
    ['garbage', () => ({ raw: Buffer.from('not a DNS message at all') })],
    ['an endless name', (asked) => ({ raw: compressionLoop(asked) })],
    ['a wrong id', ({ id }) => ({ id: id ^ 1 })],
    ['cut answers, over TCP too', () => ({ truncated: true })],
  ])('keeps its servers through %s, says so once, and is followed again after it', async (_, broken) => {
    const { ns, subscription, lines } = await watching(a('10.0.0.1', '10.0.0.2'));
    await told(subscription, '10.0.0.1:80 10.0.0.2:80');
    ns.script(broken);
    await eventually(() => expect(subscription.state.error).toBeDefined());
    await lookUps(subscription, 3);
    expect(subscription.told).toHaveLength(1);
    expect(subscription.state).toMatchObject({ servers: 2, error: { source: 'resolver' } });
    expect(lines.map(({ level }) => level)).toEqual(['warn']);
    ns.script(a('10.0.0.2'));
    await told(subscription, '10.0.0.1:80 10.0.0.2:80', '10.0.0.2:80');
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  test('with more addresses than a datagram holds has all of them', async () => {
    const many = Array.from({ length: 60 }, (_, i) => `10.0.1.${i}`);
    const { subscription } = await watching((asked) =>
      asked.transport === 'udp' && asked.type === 'A'
        ? { answers: [address(WEB, '10.0.1.0')], truncated: true }
        : a(...many)(asked),
    );
    await told(
      subscription,
      many
        .map((one) => `${one}:80`)
        .sort()
        .join(' '),
    );
  });

  test('has its IPv4 servers although AAAA always fails', async () => {
    const { ns, subscription } = await watching((asked) =>
      asked.type === 'AAAA' ? { rcode: 'SERVFAIL' } : a('10.0.0.1', '10.0.0.2')(asked),
    );
    await told(subscription, '10.0.0.1:80 10.0.0.2:80');
    expect(subscription.state).toMatchObject({ error: undefined, gap: { code: 'RESOLVE_FAILED' } });
    ns.script((asked) => (asked.type === 'AAAA' ? { rcode: 'SERVFAIL' } : a('10.0.0.2')(asked)));
    await told(subscription, '10.0.0.1:80 10.0.0.2:80', '10.0.0.2:80');
  });

  test('loses no IPv6 server while AAAA falls silent, and does once it is answered again', async () => {
    const both: Script = (asked) =>
      asked.type === 'AAAA' ? { answers: [address(WEB, '2001:db8::1')] } : a('10.0.0.1', '10.0.0.2')(asked);
    const { ns, subscription } = await watching(both);
    await told(subscription, '10.0.0.1:80 10.0.0.2:80 [2001:db8::1]:80');
    ns.script((asked) => (asked.type === 'AAAA' ? 'drop' : a('10.0.0.1')(asked)));
    await eventually(() => expect(subscription.told.at(-1)).toBe('10.0.0.1:80 [2001:db8::1]:80'));
    await lookUps(subscription, 2);
    expect(subscription.told).toHaveLength(2);
    ns.script(a('10.0.0.1'));
    await eventually(() => expect(subscription.told.at(-1)).toBe('10.0.0.1:80'));
  });

  test('is looked up at once when a connection failed, long before its interval is over', async () => {
    const { ns, subscription } = await watching(a('10.0.0.1'), { interval: 3_600_000 });
    await told(subscription, '10.0.0.1:80');
    ns.script(a('10.0.0.2'));
    for (let i = 0; i < 20; i++) subscription.lookNow();
    await told(subscription, '10.0.0.1:80', '10.0.0.2:80');
    expect(ns.asked.length).toBeLessThanOrEqual(6);
  });

  test('that a thousand watch costs one look-up', async () => {
    const { ns, subscribe, subscription } = await watching(a('10.0.0.1'), { interval: 3_600_000 });
    const others = Array.from({ length: 999 }, () => subscribe());
    await told(subscription, '10.0.0.1:80');
    expect(others.every((other) => other.told.join() === '10.0.0.1:80')).toBe(true);
    // One question for each family; a busy machine may answer late and be asked again.
    expect(new Set(ns.asked.map(({ type }) => type)).size).toBe(2);
    expect(ns.asked.length).toBeLessThanOrEqual(2 * RETRIES);
  });

  test('is settled though its nameserver is dead, and has servers as soon as another section answers', async () => {
    const { ns, watchers, subscription } = await watching(() => 'drop');
    await eventually(() => expect(subscription.state).toMatchObject({ settled: true, set: undefined }));
    const alive: ScriptedDnsServer = await startDnsServer(a('10.0.0.1'));
    cleanups.push(() => alive.close());
    watchers.update(new Map([['corp', resolverOf(alive)]]));
    await told(subscription, '10.0.0.1:80');
    const before = ns.asked.length;
    await lookUps(subscription, 3);
    expect(ns.asked).toHaveLength(before);
  });
});

describe('a service name', () => {
  const records: Answer[] = [srv(API, 'a.example.com', 81, 5, 1), srv(API, 'b.example.com', 82, 0, 2)];
  const hosts: Readonly<Record<string, string>> = {
    'a.example.com': '10.0.0.1',
    'b.example.com': '10.0.0.2',
  };
  const source = { domain: API, port: undefined };

  const answering =
    (answers: readonly Answer[] = records): Script =>
    ({ name, type }) => {
      if (type === 'SRV') return { answers };
      const host = hosts[name];
      if (host === undefined) return { rcode: 'NXDOMAIN' };
      return type === 'A' ? { answers: [address(name, host)] } : {};
    };

  test('has the addresses of its targets, whether they are sent along or must be asked for', async () => {
    const { ns, subscription } = await watching(answering(), source);
    await told(subscription, '10.0.0.1:81 10.0.0.2:82');
    expect(subscription.state.set?.endpoints).toMatchObject([
      { weight: 5, priority: 1 },
      { weight: 1, priority: 2 },
    ]);
    const additionals = Object.entries(hosts).map(([name, host]) => address(name, host));
    ns.script(({ type }) => (type === 'SRV' ? { answers: records.toReversed(), additionals } : 'drop'));
    await lookUps(subscription, 4);
    expect(subscription.state).toMatchObject({ error: undefined, results: { failed: 0 } });
    expect(subscription.told).toHaveLength(1);
  });

  test('loses no server to a target that cannot be looked up, but does to one that does not exist', async () => {
    const { ns, subscription } = await watching(answering(), source);
    await told(subscription, '10.0.0.1:81 10.0.0.2:82');
    ns.script((asked) => (asked.name === 'b.example.com' ? { rcode: 'SERVFAIL' } : answering()(asked)));
    await eventually(() => expect(subscription.state.gap).toBeDefined());
    await lookUps(subscription, 2);
    expect(subscription.told).toHaveLength(1);
    ns.script((asked) => (asked.name === 'b.example.com' ? { rcode: 'NXDOMAIN' } : answering()(asked)));
    await told(subscription, '10.0.0.1:81 10.0.0.2:82', '10.0.0.1:81 (b.example.com does not exist)');
  });

  test('with the same address on two ports has two servers', async () => {
    const twice = [srv(API, 'a.example.com', 81), srv(API, 'a.example.com', 82)];
    const { subscription } = await watching(answering(twice), source);
    await told(subscription, '10.0.0.1:81 10.0.0.1:82');
  });
});

test('asked over DNS or directly, the registry gives the same servers', async () => {
  const catalog = catalogOf([
    { service: 'web', address: '10.84.0.1', port: 8001, weights: { passing: 7, warning: 2 } },
    {
      service: 'web',
      address: '2001:db8::84',
      port: 8002,
      weights: { passing: 7, warning: 2 },
      checks: ['warning'],
    },
    { service: 'web', address: '10.84.0.3', port: 8003, checks: ['critical'] },
    { service: 'web', node: 'n2', nodeAddress: '10.84.0.4', port: 8004, tags: ['V1'] },
  ]);
  const bind = { host: '127.0.0.1', port: 0 };
  const server = createDnsServer({
    bind,
    reader: catalog,
    domain: 'consul',
    log: silentLog,
    clock: systemClock,
  });
  await server.start();
  cleanups.push(() => server.stop(systemClock.now()));
  const overDns = resolverOf(server);
  const direct = registryResolver(catalog, 'consul');
  const found = async (resolver: Resolver, name: string) => {
    const resolution = await resolver.resolve(name, undefined, new AbortController().signal, []);
    if (!resolution.ok) throw resolution.error;
    const shown = ({ address, port, weight }: Endpoint) => `${address} ${port} ${weight}`;
    return resolution.endpoints.map(shown).sort();
  };
  for (const name of [
    '_web._tcp.service.consul',
    '_web._v1.service.dc1.consul',
    '_api._tcp.service.consul',
  ]) {
    expect(await found(overDns, name), name).toEqual(await found(direct, name));
  }
  expect(await found(direct, '_web._tcp.service.consul')).toEqual([
    '10.84.0.1 8001 7',
    '10.84.0.4 8004 1',
    '2001:db8::84 8002 2',
  ]);
});
