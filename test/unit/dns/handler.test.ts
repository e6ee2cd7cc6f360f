import { type Answer, type DecodedPacket, decode, encode, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { handleMessage, type LonelyContext, serverFailure } from '../../../src/dns/handler.ts';
import { DEFAULT_ANSWER_POLICY } from '../../../src/dns/lookup.ts';
import { catalogOf, type Row } from '../../helpers/catalog-rows.ts';

const RD = 0x0100;

function instances(count: number, extra: Partial<Row> = {}): Row[] {
  return Array.from({ length: count }, (_, i) => ({
    service: 'web',
    address: `10.82.${i >> 8}.${i & 255}`,
    port: 8000 + i,
    ...extra,
  }));
}

function context(rows: readonly Row[], options: Partial<LonelyContext> = {}): LonelyContext {
  return {
    reader: catalogOf(rows),
    domain: 'consul',
    policy: DEFAULT_ANSWER_POLICY,
    udpAnswerLimit: 3,
    enableTruncate: false,
    random: () => 0.5,
    now: () => 1_700_000_000,
    ...options,
  };
}

interface Asked {
  readonly name?: string;
  readonly type?: RecordType;
  readonly edns?: number;
  readonly options?: Extract<Answer, { type: 'OPT' }>['options'];
  readonly flags?: number;
  readonly ednsVersion?: number;
}

function query({
  name = 'web.service.consul',
  type = 'A',
  edns,
  options = [],
  flags = RD,
  ednsVersion = 0,
}: Asked): Buffer {
  const opt: Answer[] =
    edns === undefined
      ? []
      : [
          {
            name: '.',
            type: 'OPT',
            udpPayloadSize: edns,
            extendedRcode: 0,
            ednsVersion,
            flags: 0,
            flag_do: false,
            options,
          },
        ];
  return encode({ type: 'query', id: 4711, flags, questions: [{ name, type }], additionals: opt });
}

interface Said {
  readonly packet: DecodedPacket & { readonly rcode?: string };
  readonly size: number;
  readonly answers: number;
  readonly additionals: Answer[];
  readonly opt: Extract<Answer, { type: 'OPT' }> | undefined;
}

function ask(asked: Asked | Buffer, transport: 'udp' | 'tcp', where: LonelyContext): Said {
  const reply = handleMessage(Buffer.isBuffer(asked) ? asked : query(asked), transport, where);
  if (!reply) throw new Error('no reply');
  const packet = decode(reply);
  const opt = packet.additionals?.find((record) => record.type === 'OPT');
  return {
    packet,
    size: reply.length,
    answers: packet.answers?.length ?? 0,
    additionals: packet.additionals?.filter((record) => record.type !== 'OPT') ?? [],
    opt: opt?.type === 'OPT' ? opt : undefined,
  };
}

describe('the size of replies', () => {
  const six = context(instances(6));
  const sixty = context(instances(60));

  test.each<[string, LonelyContext, Asked, 'udp' | 'tcp', number, number]>([
    ['six, plain', six, { type: 'SRV' }, 'udp', 3, 512],
    ['six, EDNS 512', six, { type: 'SRV', edns: 512 }, 'udp', 3, 512],
    ['six, EDNS below 512', six, { type: 'SRV', edns: 100 }, 'udp', 3, 512],
    ['six, EDNS 600', six, { edns: 600 }, 'udp', 6, 600],
    ['six, EDNS 1232', six, { type: 'SRV', edns: 1232 }, 'udp', 6, 1232],
    ['six, TCP', six, { type: 'SRV' }, 'tcp', 6, 65_535],
    ['sixty, plain', sixty, { type: 'SRV' }, 'udp', 3, 512],
    ['sixty, EDNS 4096', sixty, { type: 'SRV', edns: 4096 }, 'udp', 60, 4096],
    ['sixty, TCP', sixty, { type: 'SRV' }, 'tcp', 60, 65_535],
  ])('%s', (_, where, asked, transport, answers, bytes) => {
    const said = ask(asked, transport, where);
    expect(said.answers).toBe(answers);
    expect(said.size).toBeLessThanOrEqual(bytes);
    expect(said.packet.flag_tc).toBe(false);
    if (asked.type === 'SRV') expect(said.additionals).toHaveLength(answers);
  });

  test('a datagram is filled, and never larger than asked for or than 4096 bytes', () => {
    const many = context(instances(3000));
    for (const [edns, type, least] of [
      [1232, 'SRV', 15],
      [4096, 'SRV', 60],
      [65_535, 'A', 200],
    ] as const) {
      const said = ask({ edns, type }, 'udp', many);
      expect(said.answers).toBeGreaterThan(least);
      expect(said.size).toBeLessThanOrEqual(Math.min(edns, 4096));
      expect(said.opt?.udpPayloadSize).toBe(edns);
    }
    const stream = ask({ type: 'SRV' }, 'tcp', many);
    expect(stream.answers).toBeGreaterThan(900);
    expect(stream.additionals).toHaveLength(stream.answers);
    expect(ask({}, 'tcp', many).answers).toBe(3000);
  });

  test('what a small asker gets of many answers fits without compression, too', () => {
    const service = 'w'.repeat(50);
    const where = context(instances(5, { service }));
    const plain = ask({ name: `${service}.service.consul`, type: 'SRV' }, 'udp', where);
    expect(plain.answers).toBe(2);
    // dns-packet does not compress.
    expect(encode(plain.packet).length).toBeLessThanOrEqual(505);
    const three = context(instances(3, { service }));
    expect(ask({ name: `${service}.service.consul`, type: 'SRV' }, 'udp', three).answers).toBe(3);
    expect(ask({ name: `${service}.service.consul`, type: 'SRV', edns: 600 }, 'udp', where).answers).toBe(5);
  });

  test('TXT records beside answers go before answers do', () => {
    const nodeMeta = { a: 'x'.repeat(100), b: 'y'.repeat(100) };
    const said = ask({ type: 'SRV', edns: 1232 }, 'udp', context(instances(6, { nodeMeta })));
    expect(said.answers).toBe(6);
    expect(said.additionals.map((record) => record.type)).toEqual(Array(6).fill('A'));
  });

  test('a TXT value longer than 255 bytes arrives whole', () => {
    const value = 'ü'.repeat(200);
    const rows: Row[] = [{ node: 'n1', nodeMeta: { long: value } }];
    const [record] =
      ask({ name: 'n1.node.consul', type: 'TXT', edns: 4096 }, 'udp', context(rows)).packet.answers ?? [];
    expect(record?.type === 'TXT' && [record.data].flat().map(String).join('')).toBe(`long=${value}`);
  });

  test('an answer that fits no datagram says so, whatever was configured', () => {
    const rows: Row[] = [{ node: 'n1', nodeMeta: { long: 'x'.repeat(600) } }];
    const said = ask({ name: 'n1.node.consul', type: 'TXT' }, 'udp', context(rows));
    expect(said.packet.flag_tc).toBe(true);
    expect(said.answers).toBe(0);
  });

  test('the TC bit can be had', () => {
    const tc = { enableTruncate: true };
    expect(ask({}, 'udp', context(instances(4), tc)).packet.flag_tc).toBe(true);
    expect(ask({}, 'udp', context(instances(3), tc)).packet.flag_tc).toBe(false);
    expect(ask({ edns: 1232 }, 'udp', context(instances(4), tc)).packet.flag_tc).toBe(false);
    expect(ask({ edns: 1232 }, 'udp', context(instances(400), tc)).packet.flag_tc).toBe(true);
    expect(ask({}, 'tcp', context(instances(400), tc)).packet.flag_tc).toBe(false);
  });

  test('every instance gets its turn', () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const where = context(instances(6), { random });
    const first = new Set<unknown>();
    for (let i = 0; i < 100; i++) {
      const [record] = ask({}, 'udp', where).packet.answers ?? [];
      first.add(record?.type === 'A' && record.data);
    }
    expect(first.size).toBe(6);
  });
});

describe('what is repeated', () => {
  const where = context(instances(1));

  test('the question to the letter, and the id', () => {
    const { packet } = ask({ name: 'WeB.service.CONSUL' }, 'udp', where);
    expect(packet.id).toBe(4711);
    expect(packet.questions).toEqual([{ name: 'WeB.service.CONSUL', type: 'A', class: 'IN' }]);
    expect(packet.answers?.[0]?.name).toBe('WeB.service.CONSUL');
  });

  test('the wish for recursion, without granting it', () => {
    expect(ask({ flags: RD }, 'udp', where).packet).toMatchObject({
      flag_rd: true,
      flag_ra: false,
      flag_aa: true,
    });
    expect(ask({ flags: 0 }, 'udp', where).packet.flag_rd).toBe(false);
  });

  test('EDNS0, but in no refusal and to nobody who did not use it', () => {
    expect(ask({ edns: 4096 }, 'tcp', where).opt?.udpPayloadSize).toBe(4096);
    expect(ask({ edns: 1232, name: 'nope.service.consul' }, 'udp', where).opt?.udpPayloadSize).toBe(1232);
    expect(ask({ edns: 1232, name: 'www.example.com' }, 'udp', where).opt).toBeUndefined();
    expect(ask({}, 'udp', where).opt).toBeUndefined();
  });

  test('the client subnet, as valid for everybody', () => {
    const options = [{ code: 8 as const, ip: '10.1.2.0', sourcePrefixLength: 24, scopePrefixLength: 0 }];
    expect(ask({ edns: 1232, options }, 'udp', where).opt?.options).toMatchObject([
      { code: 8, ip: '10.1.2.0', sourcePrefixLength: 24, scopePrefixLength: 0 },
    ]);
  });
});

describe('what is not answered', () => {
  const where = context(instances(1));
  const flagsOf = (reply: Buffer | undefined) => reply?.readUInt16BE(2);

  test.each<[string, Asked, string, Partial<DecodedPacket>]>([
    ['an update', { flags: RD | (5 << 11) }, 'NOTIMP', { flag_aa: false, flag_rd: true }],
    ['a notify', { flags: 4 << 11 }, 'NOTIMP', { flag_aa: false }],
    ['a zone transfer', { name: 'consul', type: 'AXFR' }, 'NOTIMP', { flag_aa: true }],
    ['an incremental transfer', { name: 'consul', type: 'IXFR' }, 'NOTIMP', { flag_aa: true }],
    ['somebody else’s zone', { name: 'example.com', type: 'AXFR' }, 'REFUSED', { flag_aa: false }],
  ])('%s', (_, asked, rcode, flags) => {
    expect(ask(asked, 'tcp', where).packet).toMatchObject({ rcode, ...flags, answers: [] });
  });

  test('another class than IN', () => {
    const message = query({});
    message.writeUInt16BE(3, message.length - 2);
    expect(ask(message, 'udp', where).packet).toMatchObject({ rcode: 'REFUSED', answers: [] });
  });

  test('a newer EDNS', () => {
    const said = ask({ edns: 1232, ednsVersion: 1 }, 'udp', where);
    expect(said.opt).toMatchObject({ extendedRcode: 1, ednsVersion: 0 });
    expect(said.answers).toBe(0);
  });

  test('names that only bytes can express are no names of the registry', () => {
    const dotted = query({ name: 'xxx-web.service.consul' });
    dotted[16] = '.'.charCodeAt(0);
    expect(
      ask(dotted, 'udp', context([{ service: 'xxx.web', address: '10.0.0.1' }, ...instances(1)])).packet,
    ).toMatchObject({
      rcode: 'NXDOMAIN',
      answers: [],
    });
    const binary = query({});
    binary[13] = 0xff;
    const reply = handleMessage(binary, 'udp', where);
    expect(flagsOf(reply)).toBe(0x8503);
    expect(reply?.subarray(12, binary.length)).toEqual(binary.subarray(12));
  });

  test('replies, for two servers must not talk to each other', () => {
    expect(handleMessage(query({ flags: 0x8000 }), 'udp', where)?.length).toBeDefined();
    const reply = query({});
    reply.writeUInt16BE(0x8000, 2);
    expect(handleMessage(reply, 'udp', where)).toBeUndefined();
    expect(serverFailure(reply)).toBeUndefined();
    expect(handleMessage(Buffer.alloc(11), 'udp', where)).toBeUndefined();
  });

  test.each<[string, (message: Buffer) => Buffer]>([
    ['no question', (m) => Buffer.concat([m.subarray(0, 4), Buffer.alloc(8)])],
    ['two questions', (m) => counts(m, 2, 0, 0, 0)],
    ['a question cut short', (m) => m.subarray(0, -1)],
    ['a name without an end', (m) => Buffer.concat([m.subarray(0, 12), Buffer.alloc(300, 1)])],
    [
      'a name that is a pointer',
      (m) => Buffer.concat([m.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
    ],
    ['answers in a question', (m) => counts(m, 1, 1, 0, 0)],
    ['more records than bytes', (m) => counts(m, 1, 0, 0, 65_535)],
    ['an unreadable record', (m) => Buffer.concat([m.subarray(0, -11), Buffer.alloc(12, 0xff)])],
    ['two OPT records', (m) => counts(Buffer.concat([m, m.subarray(-11)]), 1, 0, 0, 2)],
  ])('FORMERR: %s', (_, spoil) => {
    const reply = handleMessage(spoil(query({ edns: 1232 })), 'udp', where);
    expect((flagsOf(reply) ?? 0) & 0x800f).toBe(0x8001);
    expect(reply?.readUInt16BE(0)).toBe(4711);
  });

  test('a failure of our own is SERVFAIL with the question', () => {
    const reply = serverFailure(query({}));
    expect(reply && decode(reply)).toMatchObject({
      rcode: 'SERVFAIL',
      questions: [{ name: 'web.service.consul' }],
    });
  });
});

describe('any bytes', () => {
  const where = context([
    ...instances(5, { nodeMeta: { a: 'b' } }),
    { node: 'n9', nodeAddress: 'x.example.net' },
  ]);
  const transport = fc.constantFrom('udp' as const, 'tcp' as const);

  test('are answered with a well-formed reply or with nothing', () => {
    const header = fc
      .tuple(fc.uint8Array({ minLength: 2, maxLength: 2 }), fc.nat(0xffff))
      .map(([id, flags]) => {
        const bytes = Buffer.alloc(12);
        Buffer.from(id).copy(bytes);
        bytes.writeUInt16BE(flags, 2);
        bytes.writeUInt16BE(1, 4);
        return bytes;
      });
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(header, fc.uint8Array({ maxLength: 300 })).map(([head, rest]) => Buffer.concat([head, rest])),
    );
    fc.assert(
      fc.property(junk, transport, (message, over) => wellFormed(message, over)),
      { numRuns: 2000 },
    );
  });

  test('so are spoiled queries', () => {
    const names = [
      'web.service.consul',
      'n9.node.consul',
      '_web._tcp.consul',
      '1.0.80.10.in-addr.arpa',
      'consul',
      '.',
    ];
    const types: RecordType[] = ['A', 'SRV', 'TXT', 'PTR', 'SOA', 'NS', 'NAPTR'];
    const spoiled = fc
      .record({
        name: fc.constantFrom(...names),
        type: fc.constantFrom(...types),
        edns: fc.constantFrom(undefined, 0, 512, 1232, 65_535),
        edits: fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 4 }),
        cut: fc.nat(90),
      })
      .map(({ name, type, edns, edits, cut }) => {
        const message = query({ name, type, ...(edns === undefined ? {} : { edns }) });
        for (const [at, byte] of edits) message[at % message.length] = byte;
        return message.subarray(0, cut > 60 ? message.length : cut);
      });
    fc.assert(
      fc.property(spoiled, transport, (message, over) => wellFormed(message, over)),
      { numRuns: 3000 },
    );
  });

  function wellFormed(message: Buffer, over: 'udp' | 'tcp'): void {
    const reply = handleMessage(message, over, where);
    if (!reply) {
      expect(message.length < 12 || (message[2] ?? 0) >= 0x80).toBe(true);
      return;
    }
    expect(reply.length).toBeLessThanOrEqual(over === 'udp' ? 4096 : 65_535);
    expect(reply.subarray(0, 2)).toEqual(message.subarray(0, 2));
    decode(reply);
    expect(decode.bytes).toBe(reply.length);
  }
});

function counts(message: Buffer, ...values: [number, number, number, number]): Buffer {
  const changed = Buffer.from(message);
  values.forEach((value, i) => {
    changed.writeUInt16BE(value, 4 + 2 * i);
  });
  return changed;
}
