import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type ClientConfig, type LookupType, NameserverClient } from '../../src/dns/client.ts';
import {
  type Asked,
  address,
  cname,
  compressionLoop,
  type Reaction,
  type Script,
  type ScriptedDnsServer,
  soa,
  srv,
  startDnsServer,
} from '../helpers/dns-server.ts';
import { eventually } from '../helpers/eventually.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function nameserver(script: Script): Promise<ScriptedDnsServer> {
  const server = await startDnsServer(script);
  cleanups.push(() => server.close());
  return server;
}

function client(servers: readonly { port: number }[], config: Partial<ClientConfig> = {}): NameserverClient {
  const made = new NameserverClient(
    {
      id: 'test',
      nameservers: servers.map(({ port }, i) => ({
        name: `ns${i + 1}`,
        transport: 'udp',
        host: '127.0.0.1',
        port,
      })),
      resolveRetries: 3,
      timeoutRetry: 5_000,
      acceptedPayloadSize: 1232,
      ...config,
    },
    systemClock,
  );
  cleanups.push(() => made.close());
  return made;
}

const never = new AbortController().signal;
const ask = (from: NameserverClient, name = 'web.example.com', type: LookupType = 'A') =>
  from.query(name, type, never);

/** What is asked for twice at once is one query: this is another name each time. */
const askNumbered = (from: NameserverClient, i: number) => ask(from, `web-${i}.example.com`);

const web = 'web.example.com';
const good: Reaction = { answers: [address(web, '10.0.0.1')] };
const goodReply = {
  rcode: 'NOERROR',
  records: [{ type: 'A', name: web, address: '10.0.0.1', ttl: 60 }],
  additionals: [],
};
const empty = { rcode: 'NOERROR', records: [], additionals: [] };
/** Silence is noticed after 3 × 60 ms, and nothing else is waited for in tests that use it. */
const impatient = { timeoutRetry: 60 };

/** A UDP port where nobody listens. */
async function deadPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

describe('one nameserver', () => {
  test('is asked once, with EDNS0, and its records are read', async () => {
    const ns = await nameserver(() => ({
      answers: [
        address(web, '10.0.0.1', 5),
        address(web, '2001:DB8::1'),
        address('other.example.com', '10.6.6.6'),
      ],
    }));
    expect(await ask(client([ns]), 'WEB.example.com.')).toEqual({
      rcode: 'NOERROR',
      records: [{ type: 'A', name: web, address: '10.0.0.1', ttl: 5 }],
      additionals: [],
    });
    expect(ns.asked).toMatchObject([{ name: web, type: 'A', transport: 'udp', payloadSize: 1232 }]);
  });

  test('gives SRV records with the addresses of their targets, and no others', async () => {
    const name = '_web._tcp.example.com';
    const ns = await nameserver(() => ({
      answers: [srv(name, 'A.example.com', 8080, 10, 2), srv(name, '.', 0)],
      additionals: [
        address('a.example.com', '10.0.0.1'),
        address('A.example.com', '::1'),
        address('evil.example.com', '10.6.6.6'),
      ],
    }));
    expect(await ask(client([ns]), name, 'SRV')).toEqual({
      rcode: 'NOERROR',
      records: [{ type: 'SRV', name, target: 'a.example.com', port: 8080, priority: 2, weight: 10, ttl: 60 }],
      additionals: [
        { type: 'A', name: 'a.example.com', address: '10.0.0.1', ttl: 60 },
        { type: 'AAAA', name: 'a.example.com', address: '::1', ttl: 60 },
      ],
    });
  });

  test('tells an empty answer from a name that does not exist', async () => {
    const ns = await nameserver(({ name }) =>
      name === 'nx.example.com' ? { rcode: 'NXDOMAIN' } : { authorities: [soa('example.com')] },
    );
    const from = client([ns]);
    expect(await ask(from, 'nx.example.com')).toEqual({ rcode: 'NXDOMAIN' });
    expect(await ask(from, web)).toEqual(empty);
  });

  test('whose answer is cut short is asked again over TCP', async () => {
    const ns = await nameserver(({ transport }) => (transport === 'udp' ? { truncated: true } : good));
    expect(await ask(client([ns]))).toEqual(goodReply);
    expect(ns.asked.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  test('that sends more than it may is asked again over TCP', async () => {
    const many = Array.from({ length: 60 }, (_, i) => address(web, `10.0.0.${i}`));
    const ns = await nameserver(({ transport }) => (transport === 'udp' ? { answers: many } : good));
    expect(await ask(client([ns], { acceptedPayloadSize: 512 }))).toEqual(goodReply);
  });

  test('that points to others instead of answering has failed: that is no empty answer', async () => {
    const ns = await nameserver(() => ({
      authorities: [{ type: 'NS', name: 'example.com', data: 'ns.example.com' }],
    }));
    await expect(ask(client([ns], impatient))).rejects.toMatchObject({
      code: 'RESOLVE_FAILED',
      message: expect.stringContaining('referral'),
    });
  });

  test('that does not know EDNS0 is asked without', async () => {
    const ns = await nameserver(({ payloadSize }) =>
      payloadSize === undefined ? good : { rcode: 'FORMERR', question: null },
    );
    expect(await ask(client([ns]))).toEqual(goodReply);
    expect(ns.asked.map(({ payloadSize }) => payloadSize)).toEqual([1232, undefined]);
  });

  test('may be configured for TCP', async () => {
    const ns = await nameserver(() => good);
    const nameservers = [{ name: 'ns1', transport: 'tcp' as const, host: '127.0.0.1', port: ns.port }];
    expect(await ask(client([ns], { nameservers }))).toEqual(goodReply);
    expect(ns.asked.map(({ transport }) => transport)).toEqual(['tcp']);
  });

  test('is asked over one TCP connection, in which nobody waits for the answers to others', async () => {
    let release = (_: Reaction) => {};
    const slow = new Promise<Reaction>((resolve) => {
      release = resolve;
    });
    const named = (name: string, ip: string): Reaction => ({ answers: [address(name, ip)] });
    const ns = await nameserver(({ name }) => (name === 'slow.example.com' ? slow : named(name, '10.0.0.1')));
    const nameservers = [{ name: 'ns1', transport: 'tcp' as const, host: '127.0.0.1', port: ns.port }];
    const from = client([ns], { nameservers });
    const last = ask(from, 'slow.example.com');
    for (const name of ['a.example.com', 'b.example.com']) {
      expect(await ask(from, name)).toMatchObject({ records: [{ name }] });
    }
    release(named('slow.example.com', '10.0.0.9'));
    expect(await last).toMatchObject({ records: [{ address: '10.0.0.9' }] });
    expect(new Set(ns.asked.map(({ port }) => port)).size).toBe(1);
  });

  test('may close a TCP connection that it has answered on: what it was not asked yet goes over another', async () => {
    const ports = new Set<number>();
    const ns = await nameserver(({ port, nth }) => {
      const known = ports.has(port);
      ports.add(port);
      return known && nth > 1 ? 'hangup' : good;
    });
    const nameservers = [{ name: 'ns1', transport: 'tcp' as const, host: '127.0.0.1', port: ns.port }];
    const from = client([ns], { nameservers, resolveRetries: 1 });
    for (let i = 0; i < 3; i++) expect(await ask(from)).toEqual(goodReply);
    expect(ns.asked.length).toBeGreaterThan(3);
  });

  test('that is silent on a TCP connection is asked over another one', async () => {
    const ports = new Set<number>();
    const ns = await nameserver(({ port }) => {
      ports.add(port);
      return ports.size === 1 && ns.asked.length > 1 ? 'drop' : good;
    });
    const nameservers = [{ name: 'ns1', transport: 'tcp' as const, host: '127.0.0.1', port: ns.port }];
    const from = client([ns], { nameservers, resolveRetries: 1, timeoutRetry: 100 });
    expect(await ask(from)).toEqual(goodReply);
    await expect(ask(from)).rejects.toMatchObject({ code: 'RESOLVE_TIMEOUT' });
    expect(await ask(from)).toEqual(goodReply);
    expect(ports.size).toBe(2);
  });

  test('is asked again when it stays silent, and may answer the first question late', async () => {
    const answers: ((reaction: Reaction) => void)[] = [];
    const ns = await nameserver(() => new Promise<Reaction>((resolve) => answers.push(resolve)));
    const reply = ask(client([ns], { timeoutRetry: 200 }));
    await eventually(() => expect(answers).toHaveLength(2));
    answers[0]?.(good);
    expect(await reply).toEqual(goodReply);
    answers[1]?.('drop');
  });

  test.each<[string, Reaction, object]>([
    [
      'silence',
      'drop',
      { code: 'RESOLVE_TIMEOUT', message: 'A web.example.com: ns1: no answer within 180 ms' },
    ],
    [
      'REFUSED',
      { rcode: 'REFUSED' },
      { code: 'RESOLVE_REFUSED', message: 'A web.example.com: ns1: REFUSED' },
    ],
    [
      'SERVFAIL',
      { rcode: 'SERVFAIL' },
      { code: 'RESOLVE_FAILED', message: 'A web.example.com: ns1: SERVFAIL' },
    ],
    ['NOTIMP', { rcode: 'NOTIMP' }, { code: 'RESOLVE_FAILED' }],
  ])('%s is a failure after three tries, never an empty answer', async (_, reaction, error) => {
    const ns = await nameserver(() => reaction);
    await expect(ask(client([ns], impatient))).rejects.toMatchObject({
      name: 'VaneError',
      source: 'resolver',
      ...error,
    });
    expect(ns.asked.filter(({ payloadSize }) => payloadSize !== undefined)).toHaveLength(3);
  });

  test.each(['udp', 'tcp'] as const)('that is not there over %s is heard of', async (transport) => {
    const nameservers = [{ name: 'ns1', transport, host: '127.0.0.1', port: await deadPort() }];
    await expect(ask(client([], { nameservers, ...impatient }))).rejects.toMatchObject({
      code: 'RESOLVE_REFUSED',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('that hangs up is a failure', async () => {
    const ns = await nameserver(({ transport }) => (transport === 'udp' ? { truncated: true } : 'hangup'));
    await expect(ask(client([ns], impatient))).rejects.toMatchObject({ code: 'RESOLVE_FAILED' });
  });
});

describe('several nameservers', () => {
  const nx: Reaction = { rcode: 'NXDOMAIN' };
  const nothing: Reaction = { authorities: [soa('example.com')] };

  test('are asked in parallel: the silence of one costs nothing', async () => {
    const silent = await nameserver(() => 'drop');
    const ns = await nameserver(() => good);
    expect(await ask(client([silent, ns]))).toEqual(goodReply);
    await eventually(() => expect(silent.asked).toHaveLength(1));
  });

  test.each<[string, Reaction]>([
    ['NXDOMAIN', nx],
    ['an empty answer', nothing],
    ['a refusal', { rcode: 'REFUSED' }],
    ['SERVFAIL', { rcode: 'SERVFAIL' }],
    ['a broken chain', { answers: [cname(web, 'a.example.com'), cname('a.example.com', web)] }],
  ])('%s from the fast one waits for the slow one', async (_, reaction) => {
    let release = (_: Reaction) => {};
    const slow = await nameserver(() => new Promise<Reaction>((resolve) => (release = resolve)));
    const fast = await nameserver(() => reaction);
    let settled = false;
    const reply = ask(client([fast, slow])).finally(() => {
      settled = true;
    });
    await eventually(() => expect([fast.asked.length, slow.asked.length]).toEqual([1, 1]));
    // A second client has had its answer from the fast one by now: the first has heard it too.
    await ask(client([fast], impatient)).catch(() => {});
    expect(settled).toBe(false);
    release(good);
    expect(await reply).toEqual(goodReply);
  });

  test.each<[string, Reaction, Reaction, object]>([
    ['empty beats NXDOMAIN', nx, nothing, empty],
    ['empty beats an error', { rcode: 'SERVFAIL' }, nothing, empty],
    ['NXDOMAIN beats an error', { rcode: 'REFUSED' }, nx, { rcode: 'NXDOMAIN' }],
    ['NXDOMAIN beats silence', 'drop', nx, { rcode: 'NXDOMAIN' }],
  ])('%s', async (_, one, other, reply) => {
    const first = await nameserver(() => one);
    const second = await nameserver(() => other);
    expect(await ask(client([first, second], impatient))).toEqual(reply);
    expect(await ask(client([second, first], impatient))).toEqual(reply);
  });

  test('refusals and silence are a refusal, other errors a failure that names them all', async () => {
    const refusing = await nameserver(() => ({ rcode: 'REFUSED' }));
    const silent = await nameserver(() => 'drop');
    const failing = await nameserver(() => ({ rcode: 'SERVFAIL' }));
    await expect(ask(client([refusing, silent], impatient))).rejects.toMatchObject({
      code: 'RESOLVE_REFUSED',
    });
    await expect(ask(client([refusing, silent, failing], impatient))).rejects.toMatchObject({
      code: 'RESOLVE_FAILED',
      message: 'A web.example.com: ns1: REFUSED; ns2: no answer within 180 ms; ns3: SERVFAIL',
    });
  });

  test('one that recovers between two tries is believed', async () => {
    const ns = await nameserver(({ nth }) => (nth === 1 ? { rcode: 'SERVFAIL' } : good));
    expect(await ask(client([ns], { timeoutRetry: 50 }))).toEqual(goodReply);
  });
});

describe('CNAMEs', () => {
  const chain = (length: number) =>
    Array.from({ length }, (_, i) =>
      cname(i === 0 ? web : `c${i}.example.com`, `c${i + 1}.example.com`, 60 - i),
    );

  test('are followed within an answer; the shortest TTL counts', async () => {
    const ns = await nameserver(() => ({ answers: [address('C3.example.com', '10.0.0.3'), ...chain(3)] }));
    expect(await ask(client([ns]))).toEqual({
      rcode: 'NOERROR',
      records: [{ type: 'A', name: 'c3.example.com', address: '10.0.0.3', ttl: 58 }],
      additionals: [],
    });
    expect(ns.asked).toHaveLength(1);
  });

  test('that leave the answer are asked for', async () => {
    const ns = await nameserver(({ name }) =>
      name === web ? { answers: chain(1) } : { answers: [address('c1.example.com', '10.0.0.3')] },
    );
    expect(await ask(client([ns]))).toMatchObject({ records: [{ address: '10.0.0.3' }] });
    expect(ns.asked.map(({ name }) => name)).toEqual([web, 'c1.example.com']);
  });

  test('that end in nothing are nothing, without another question', async () => {
    const ns = await nameserver(() => ({ answers: chain(1), authorities: [soa('example.com')] }));
    expect(await ask(client([ns]))).toEqual(empty);
    expect(ns.asked).toHaveLength(1);
  });

  test.each<[string, Script]>([
    ['in one answer', () => ({ answers: [cname(web, 'a.example.com'), cname('a.example.com', web)] })],
    ['over several', ({ name }) => ({ answers: [cname(name, name === web ? 'a.example.com' : web)] })],
  ])('that go round in circles fail: %s', async (_, script) => {
    const ns = await nameserver(script);
    await expect(ask(client([ns], impatient))).rejects.toMatchObject({
      code: 'RESOLVE_FAILED',
      message: expect.stringContaining('CNAME loop'),
    });
  });

  test('are followed eight times', async () => {
    const ns = await nameserver(() => ({ answers: [...chain(8), address('c8.example.com', '10.0.0.8')] }));
    expect(await ask(client([ns]))).toMatchObject({ records: [{ address: '10.0.0.8' }] });
    ns.script(() => ({ answers: [...chain(9), address('c9.example.com', '10.0.0.9')] }));
    await expect(ask(client([ns], impatient))).rejects.toMatchObject({ code: 'RESOLVE_FAILED' });
    ns.script(({ name }) => ({ answers: [cname(name, `x${name}`)] }));
    await expect(ask(client([ns], impatient))).rejects.toMatchObject({ code: 'RESOLVE_FAILED' });
  });
});

describe('forgers', () => {
  const bad = [address(web, '10.6.6.6')];

  test.each<[string, (asked: Asked) => Reaction]>([
    ['another id', ({ id }) => [{ id: id ^ 1, answers: bad }, good]],
    ['another name', () => [{ question: { name: 'other.example.com', type: 'A' }, answers: bad }, good]],
    ['another type', () => [{ question: { name: web, type: 'AAAA' }, answers: bad }, good]],
    ['no question', () => [{ question: null, answers: bad }, good]],
    ['another port', () => [{ fromOtherPort: true, answers: bad }, good]],
    ['a query', () => [{ response: false, answers: bad }, good]],
    [
      'bytes without meaning',
      () => [{ raw: Buffer.alloc(700, 0xff) }, { raw: Buffer.alloc(3) }, { raw: Buffer.alloc(0) }, good],
    ],
  ])('%s is ignored, the nameserver’s own answer counts', async (_, script) => {
    const ns = await nameserver(script);
    expect(await ask(client([ns]))).toEqual(goodReply);
    expect(ns.asked).toHaveLength(1);
  });

  test('the case of the question may differ', async () => {
    const ns = await nameserver(() => ({ ...good, question: { name: 'WEB.Example.com', type: 'A' } }));
    expect(await ask(client([ns]))).toEqual(goodReply);
  });

  test('a name that points at itself ends the reading, not the process', async () => {
    const ns = await nameserver((asked) => ({ raw: compressionLoop(asked) }));
    await expect(ask(client([ns], impatient))).rejects.toMatchObject({
      code: 'RESOLVE_FAILED',
      message: expect.stringContaining('unreadable reply'),
    });
  });

  test('every query has a port and an id of its own', async () => {
    const ns = await nameserver(() => good);
    const from = client([ns]);
    await Promise.all(Array.from({ length: 40 }, (_, i) => askNumbered(from, i)));
    expect(new Set(ns.asked.map(({ port }) => port)).size).toBeGreaterThan(30);
    expect(new Set(ns.asked.map(({ id }) => id)).size).toBeGreaterThan(30);
  });
});

describe('the client', () => {
  test.each<[string, LookupType, object]>([
    [
      '10.0.0.1',
      'A',
      {
        rcode: 'NOERROR',
        records: [{ type: 'A', name: '10.0.0.1', address: '10.0.0.1', ttl: 0 }],
        additionals: [],
      },
    ],
    ['2001:DB8::1', 'AAAA', { records: [{ type: 'AAAA', address: '2001:db8::1' }] }],
    ['10.0.0.1', 'AAAA', empty],
    ['10.0.0.1', 'SRV', empty],
  ])('asks nobody about %s %s', async (name, type, reply) => {
    expect(await ask(client([{ port: 1 }]), name, type)).toMatchObject(reply);
  });

  test.each(['', 'a b.example.com', `${'x'.repeat(64)}.example.com`, 'a..b'])(
    'does not ask for %j',
    async (name) => {
      const ns = await nameserver(() => good);
      await expect(ask(client([ns]), name)).rejects.toMatchObject({ code: 'RESOLVE_FAILED' });
      expect(ns.asked).toHaveLength(0);
    },
  );

  test('gives up at once when told to', async () => {
    const ns = await nameserver(() => 'drop');
    const from = client([ns]);
    const abort = new AbortController();
    const reply = from.query(web, 'A', abort.signal);
    await eventually(() => expect(ns.asked).toHaveLength(1));
    abort.abort(new Error('enough'));
    await expect(reply).rejects.toThrow('enough');
    await expect(from.query(web, 'A', abort.signal)).rejects.toThrow('enough');
  });

  test('ends everything when it is closed', async () => {
    const ns = await nameserver(() => 'drop');
    const from = client([ns]);
    const replies = Promise.allSettled(Array.from({ length: 300 }, (_, i) => askNumbered(from, i)));
    await eventually(() => expect(ns.asked.length).toBeGreaterThan(200));
    from.close();
    for (const reply of await replies) expect(reply).toMatchObject({ reason: { code: 'STOPPING' } });
    await expect(ask(from)).rejects.toMatchObject({ code: 'STOPPING' });
  });

  test('keeps no more than 256 queries in flight; the rest have their turn', async () => {
    const release: (() => void)[] = [];
    let open = false;
    const ns = await nameserver(() =>
      open ? good : new Promise<Reaction>((resolve) => release.push(() => resolve(good))),
    );
    const from = client([ns]);
    const replies = Promise.all(Array.from({ length: 400 }, (_, i) => askNumbered(from, i)));
    await eventually(() => expect(release).toHaveLength(256));
    open = true;
    for (const go of release) go();
    expect(await replies).toHaveLength(400);
    expect(ns.asked.length).toBeGreaterThanOrEqual(400);
  });

  test('asks once for what several want at the same time', async () => {
    const ns = await nameserver(() => good);
    const from = client([ns]);
    const replies = await Promise.all([ask(from), ask(from, 'WEB.example.com.'), ask(from, web, 'AAAA')]);
    expect(replies).toMatchObject([goodReply, goodReply, empty]);
    expect(ns.asked.map(({ type }) => type).sort()).toEqual(['A', 'AAAA']);
    await ask(from);
    expect(ns.asked).toHaveLength(3);
  });

  test('keeps fewer queries in flight the more sockets each of them needs', async () => {
    const silent = await nameserver(() => 'drop');
    const from = client([silent, silent, silent, silent], { resolveRetries: 8 });
    const replies = Promise.allSettled(Array.from({ length: 200 }, (_, i) => askNumbered(from, i)));
    // 1024 sockets, four nameservers, three tries open at once.
    await eventually(() => expect(silent.asked).toHaveLength(4 * 85));
    from.close();
    await replies;
  });

  test('gives up the sockets of tries that are long past, and hears the later ones', async () => {
    const first = Promise.withResolvers<Reaction>();
    const third = Promise.withResolvers<Reaction>();
    const ns = await nameserver(({ nth }) =>
      nth === 1 ? first.promise : nth === 3 ? third.promise : 'drop',
    );
    const from = client([ns], { resolveRetries: 30, timeoutRetry: 100 });
    const reply = ask(from);
    await eventually(() => expect(ns.asked).toHaveLength(4));
    first.resolve({ answers: [address(web, '10.6.6.6')] });
    third.resolve(good);
    expect(await reply).toEqual(goodReply);
    expect(from.counters.get('ns1')).toMatchObject({ outdated: 1, update: 1 });
  });

  test('counts what becomes of its queries, by nameserver', async () => {
    const alias = (name: string) => cname(name, 'a.example.com');
    const other = await nameserver(() => ({ rcode: 'SERVFAIL' }));
    const ns = await nameserver(({ name, transport, id }): Reaction => {
      const cut = { truncated: true };
      const says: Readonly<Record<string, Reaction>> = {
        'nx.example.com': { rcode: 'NXDOMAIN' },
        'refused.example.com': { rcode: 'REFUSED' },
        'none.example.com': {},
        'alias.example.com': { answers: [alias(name), address('a.example.com', '10.0.0.1')] },
        'loop.example.com': { answers: [alias(name), cname('a.example.com', name)] },
        'forged.example.com': [{ id: id ^ 1 }, { answers: [address(name, '10.0.0.1')] }],
        'big.example.com': transport === 'udp' ? cut : { answers: [address(name, '10.0.0.1')] },
      };
      return says[name] ?? 'drop';
    });
    const from = client([ns, other], { resolveRetries: 1, timeoutRetry: 100 });
    for (const name of ['nx', 'refused', 'none', 'alias', 'loop', 'forged', 'big', 'silent']) {
      await ask(from, `${name}.example.com`).catch(() => {});
    }
    expect(from.counters.get('ns1')).toMatchObject({
      ...{ sent: 9, valid: 5, update: 3, cname: 2, cnameError: 1, anyErr: 1, nx: 1, timeout: 1 },
      ...{ refused: 1, other: 0, invalid: 1, truncated: 1, tooBig: 0, outdated: 0, sendError: 0 },
    });
    expect(from.counters.get('ns2')).toMatchObject({ other: expect.any(Number), update: 0, valid: 0 });
    expect(from.counters.get('ns2')?.other).toBeGreaterThanOrEqual(5);
  });
});
