import { type Answer, type DecodedPacket, decode, encode, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { handleMessage, type LonelyContext } from '../../../src/dns/handler.ts';
import { DEFAULT_ANSWER_POLICY } from '../../../src/dns/lookup.ts';
import { RecentMap } from '../../../src/dns/recent-map.ts';
import { Responder } from '../../../src/dns/responder.ts';
import type { CatalogReader } from '../../../src/registry/reader.ts';
import { catalogOf, type Row } from '../../helpers/catalog-rows.ts';
import { startedRegistry } from '../../helpers/registry.ts';
import { CAUSE, serviceRequest } from '../../helpers/registry-rows.ts';

const RD = 0x0100;

/** Numbers as good as random, the same in each run. */
function dice(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

interface Setting extends Partial<LonelyContext> {
  readonly seconds?: () => number;
}

function both(reader: CatalogReader, setting: Setting = {}) {
  const { seconds, ...options } = setting;
  const context: LonelyContext = {
    domain: 'consul',
    policy: DEFAULT_ANSWER_POLICY,
    udpAnswerLimit: 3,
    enableTruncate: false,
    random: dice(),
    now: seconds ?? (() => 1_700_000_000),
    ...options,
    reader,
  };
  const responder = new Responder(reader, context);
  return {
    /** As it is made anew each time. */
    anew: (message: Buffer, over: 'udp' | 'tcp' = 'udp') => packetOf(handleMessage(message, over, context)),
    kept: (message: Buffer, over: 'udp' | 'tcp' = 'udp') => packetOf(responder.respond(message, over)),
  };
}

interface Said {
  readonly packet: DecodedPacket & { readonly rcode?: string };
  readonly size: number;
  /** Records as text, in their order. */
  readonly answers: readonly string[];
  readonly additionals: readonly string[];
}

function packetOf(reply: unknown): Said {
  if (!Buffer.isBuffer(reply)) throw new Error('no reply at once');
  const packet = decode(reply);
  expect(decode.bytes).toBe(reply.length);
  const text = (records: readonly Answer[] = []) => records.map((record) => JSON.stringify(record));
  return { packet, size: reply.length, answers: text(packet.answers), additionals: text(packet.additionals) };
}

function query(name: string, type: RecordType, edns?: number, id = 4711): Buffer {
  const opt: Answer = {
    name: '.',
    type: 'OPT',
    udpPayloadSize: edns ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  const additionals = edns === undefined ? [] : [opt];
  return encode({ type: 'query', id, flags: RD, questions: [{ name, type }], additionals });
}

function instances(count: number, extra: Partial<Row> = {}): Row[] {
  return Array.from({ length: count }, (_, i) => ({
    service: 'web',
    address: `10.82.${i >> 8}.${i & 255}`,
    port: 8000 + i,
    ...extra,
  }));
}

const row = fc.record({
  service: fc.constant('web'),
  node: fc.constantFrom('n1', 'n2', 'bad name'),
  address: fc.constantFrom('', '10.1.0.1', '10.1.0.2', '10.1.0.3', '2001:db8::1', 'a.example'),
  port: fc.constantFrom(0, 80, 8080, 70_000),
  checks: fc.constantFrom([], ['passing'], ['warning'], ['critical']),
  // Of two instances at one place, either may be the one that is told.
  weights: fc.constant({ passing: 70_000, warning: 70_000 }),
});

describe('replies that are kept are those that would be made anew', () => {
  test('whatever is asked of whatever catalog', () => {
    const question = fc.record({
      name: fc.constantFrom(
        'web.service.consul',
        '_web._tcp.consul',
        'none.service.consul',
        'n1.node.consul',
        'x.y',
      ),
      type: fc.constantFrom<RecordType[]>('A', 'AAAA', 'ANY' as RecordType, 'SRV', 'TXT', 'MX', 'SOA', 'NS'),
      edns: fc.constantFrom(undefined, 512, 1232, 4096),
      over: fc.constantFrom('udp' as const, 'tcp' as const),
    });
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 12 }),
        question,
        fc.boolean(),
        fc.constantFrom(0, 2),
        fc.constantFrom(null, { a: 'b', c: 'd' }),
        (rows, { name, type, edns, over }, enableTruncate, aRecordLimit, nodeMeta) => {
          const all = rows.map((one) => ({
            ...one,
            checks: one.checks as Row['checks'],
            ...(nodeMeta && { nodeMeta }),
          }));
          const policy = { ...DEFAULT_ANSWER_POLICY, aRecordLimit };
          const { anew, kept } = both(catalogOf(all as Row[]), { enableTruncate, policy });
          const message = query(name, type, edns);
          const expected = anew(message, over);
          const most = expected.packet.answers?.length ?? 0;
          const unlimited = both(catalogOf(all as Row[]));
          const everything = unlimited.anew(query(name, type, 4096), 'tcp').answers;
          for (let i = 0; i < 3; i++) {
            const said = kept(message, over);
            expect({ ...said.packet, answers: [], additionals: [] }).toEqual({
              ...expected.packet,
              answers: [],
              additionals: [],
            });
            expect(said.answers).toHaveLength(most);
            expect(said.size).toBeLessThanOrEqual(over === 'tcp' ? 65_535 : Math.max(edns ?? 0, 512));
            for (const answer of said.answers) expect(everything).toContain(answer);
            if (most === everything.length) {
              expect([...said.answers].sort()).toEqual([...expected.answers].sort());
              expect([...said.additionals].sort()).toEqual([...expected.additionals].sort());
            }
          }
        },
      ),
      { numRuns: 1_500 },
    );
  });

  test.each<[RecordType, number | undefined, Partial<Row>]>([
    ['A', undefined, {}],
    ['A', 600, {}],
    ['SRV', undefined, {}],
    ['SRV', 600, {}],
    ['SRV', 1232, { nodeMeta: { rack: 'r1' } }],
    ['SRV', 1232, { address: '' }],
  ])('cut as they are: %s in %s bytes', (type, edns, extra) => {
    for (const enableTruncate of [false, true]) {
      const { anew, kept } = both(catalogOf(instances(200, extra)), { enableTruncate });
      const message = query('web.service.consul', type, edns);
      const [before, now] = [anew(message), kept(message)];
      expect(now.answers.length).toBeGreaterThanOrEqual(before.answers.length);
      expect(now.size).toBeLessThanOrEqual(edns ?? 512);
      expect(now.packet.flag_tc).toBe(before.packet.flag_tc);
      expect(now.packet.flag_tc).toBe(enableTruncate);
      expect(new Set(now.answers).size).toBe(now.answers.length);
      const targets = new Set(
        now.packet.answers?.map((record) => (record.type === 'SRV' ? record.data.target : '')),
      );
      const addresses = now.packet.additionals?.filter(({ type: other }) => other === 'A') ?? [];
      if (type === 'SRV') expect(new Set(addresses.map(({ name }) => name))).toEqual(targets);
      if (type === 'SRV') expect(addresses).toHaveLength(targets.size);
    }
  });

  test('measured without compression where there are more than may be told', () => {
    const service = 'w'.repeat(50);
    for (const count of [3, 5]) {
      const { anew, kept } = both(catalogOf(instances(count, { service })));
      const message = query(`${service}.service.consul`, 'SRV');
      expect(kept(message).answers).toHaveLength(count === 3 ? 3 : 2);
      expect(anew(message).answers).toHaveLength(count === 3 ? 3 : 2);
    }
  });

  test('ids and questions are those of the query', () => {
    const { kept } = both(catalogOf(instances(3)));
    for (const id of [1, 0xffff, 258]) {
      expect(kept(query('web.service.consul', 'A', undefined, id)).packet.id).toBe(id);
      expect(kept(query('none.service.consul', 'A', undefined, id)).packet.id).toBe(id);
      const odd = kept(query('Web.Service.Consul', 'A', undefined, id));
      expect(odd.packet.questions?.[0]?.name).toBe('Web.Service.Consul');
      expect(odd.packet.answers?.[0]?.name).toBe('Web.Service.Consul');
    }
  });

  test('more instances than are kept are answered all the same', () => {
    const { kept } = both(catalogOf(instances(2_000)));
    expect(kept(query('web.service.consul', 'A')).answers).toHaveLength(3);
    expect(kept(query('web.service.consul', 'A'), 'tcp').answers).toHaveLength(2_000);
  });
});

describe('the order', () => {
  test('each instance is first and is left out as often as any other', () => {
    const { kept } = both(catalogOf(instances(10)), { random: Math.random });
    const message = query('web.service.consul', 'A');
    const first = new Map<string, number>();
    const any = new Map<string, number>();
    const rounds = 20_000;
    for (let i = 0; i < rounds; i++) {
      const { answers } = kept(message);
      first.set(answers[0] ?? '', (first.get(answers[0] ?? '') ?? 0) + 1);
      for (const answer of answers) any.set(answer, (any.get(answer) ?? 0) + 1);
    }
    expect(first.size).toBe(10);
    for (const count of first.values()) expect(Math.abs(count / rounds - 0.1)).toBeLessThan(0.02);
    for (const count of any.values()) expect(Math.abs(count / rounds - 0.3)).toBeLessThan(0.03);
  });

  test('every order of three comes', () => {
    const { kept } = both(catalogOf(instances(3)));
    const orders = new Set(
      Array.from({ length: 200 }, () => kept(query('web.service.consul', 'SRV')).answers.join()),
    );
    expect(orders.size).toBe(6);
  });
});

describe('what is kept', () => {
  test('ends with a change of the service, not with one of another', async () => {
    const { registry, catalog } = await startedRegistry();
    const reads: string[] = [];
    const reader = new Proxy(catalog, {
      get(target, key) {
        if (key === 'entries') reads.push('entries');
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const { kept } = both(reader);
    const put = (id: string, service: string, address: string) =>
      registry.registerService(
        { service: serviceRequest(id, service, { address }), checks: [], replaceChecks: false },
        CAUSE,
      );
    const addresses = () => {
      const { packet } = kept(query('web.service.consul', 'A'));
      return packet.answers?.map((record) => (record.type === 'A' ? record.data : '')).sort();
    };
    expect(kept(query('web.service.consul', 'A')).packet).toMatchObject({ rcode: 'NXDOMAIN' });
    await put('w1', 'web', '10.0.0.1');
    expect(addresses()).toEqual(['10.0.0.1']);
    await put('w2', 'web', '10.0.0.2');
    expect(addresses()).toEqual(['10.0.0.1', '10.0.0.2']);

    reads.length = 0;
    await put('db', 'db', '10.0.0.9');
    expect(addresses()).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(reads).toEqual([]);

    await registry.setServiceMaintenance('w1', true, '', CAUSE);
    expect(addresses()).toEqual(['10.0.0.2']);
    await registry.deregisterService('w2', CAUSE);
    await registry.deregisterService('w1', CAUSE);
    expect(kept(query('web.service.consul', 'A')).packet).toMatchObject({ rcode: 'NXDOMAIN' });
    await registry.stop(0);
  });

  test('is shared by all who ask the same, however much they take', async () => {
    const catalog = catalogOf(instances(40));
    let reads = 0;
    const entries: CatalogReader['entries'] = (service) => {
      reads += 1;
      return catalog.entries(service);
    };
    const { kept } = both({ ...catalog, entries });
    for (const edns of [undefined, 512, 600, 1232, 1400, 4096]) {
      expect(kept(query('web.service.consul', 'SRV', edns)).answers.length).toBeGreaterThan(2);
    }
    expect(kept(query('web.service.consul', 'SRV'), 'tcp').answers).toHaveLength(40);
    expect(reads).toBe(1);
  });

  test('follows nodes and their addresses back', async () => {
    const { registry, catalog } = await startedRegistry();
    const { kept } = both(catalog);
    const reverse = () => kept(query('7.0.0.10.in-addr.arpa', 'PTR')).packet;
    expect(reverse()).toMatchObject({ rcode: 'SERVFAIL' });
    const service = serviceRequest('w7', 'web', { address: '10.0.0.7' });
    await registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
    expect(reverse().answers?.[0]).toMatchObject({ type: 'PTR', data: 'web.service.dc1.consul' });
    await registry.deregisterService('w7', CAUSE);
    expect(reverse()).toMatchObject({ rcode: 'SERVFAIL' });
    await registry.stop(0);
  });

  test('has the serial number of the second', () => {
    let now = 1_700_000_000;
    const { kept } = both(catalogOf([]), { seconds: () => now });
    const serial = () => {
      const soa = kept(query('none.service.consul', 'A')).packet.authorities?.[0];
      return soa?.type === 'SOA' ? soa.data.serial : undefined;
    };
    expect(serial()).toBe(1_700_000_000);
    now += 0.5;
    expect(serial()).toBe(1_700_000_000);
    now += 0.5;
    expect(serial()).toBe(1_700_000_001);
  });

  test('is bounded, and what is used stays', () => {
    const map = new RecentMap<number>(100, 5_000);
    for (let i = 0; i < 1_000; i++) {
      map.set(`k${i}`, i, 10);
      expect(map.get('k0')).toBe(0);
      expect(map.size).toBeLessThanOrEqual(200);
    }
    expect(map.get('k999')).toBe(999);
    expect(map.get('k500')).toBeUndefined();
    const few = new RecentMap<number>(100, 50);
    for (let i = 0; i < 100; i++) few.set(`k${i}`, i, 10);
    expect(few.size).toBeLessThanOrEqual(10);
  });
});
