import { decode, encode, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HandlerContext, serverFailure } from '../../../src/dns/handler.ts';
import { DEFAULT_ANSWER_POLICY } from '../../../src/dns/lookup.ts';
import { Responder } from '../../../src/dns/responder.ts';
import { catalogOf } from '../../helpers/catalog-rows.ts';

/** Nothing may make these throw, say something malformed, or answer what is no query. */
const catalog = catalogOf([
  ...Array.from({ length: 9 }, (_, i) => ({
    service: 'web',
    address: `10.82.0.${i}`,
    port: 8000 + i,
    tags: ['v1'],
    nodeMeta: { rack: 'r`1=' },
  })),
  { service: 'far', address: 'elsewhere.example.net', port: 1 },
  { service: 'odd', node: 'no host name', address: 'neither this', port: 99_999 },
  { node: 'n9', nodeAddress: 'x.example.net' },
]);

function responder(recursors: HandlerContext['recursors']): Responder {
  return new Responder(catalog, {
    domain: 'consul',
    altDomain: 'alt.example',
    policy: { ...DEFAULT_ANSWER_POLICY, serviceTtls: { 'w*': 7 }, aRecordLimit: 5 },
    udpAnswerLimit: 3,
    enableTruncate: true,
    recursors,
    random: Math.random,
    now: () => 1_700_000_000,
  });
}

/** Sends back what it gets, as a hostile nameserver might: nothing of it is checked here. */
const echo: NonNullable<HandlerContext['recursors']> = {
  forward: async (message) => {
    const reply = Buffer.from(message);
    reply.writeUInt16BE(reply.readUInt16BE(2) | 0x8000, 2);
    return reply.length % 3 === 0 ? undefined : reply;
  },
  addressesOf: async (name) => [{ name, type: 'A', ttl: 60, data: '10.99.0.1' }],
};

const alone = responder(undefined);
const asking = responder(echo);

const transport = fc.constantFrom('udp' as const, 'tcp' as const);

const label = fc.oneof(
  fc.constantFrom(
    'web',
    'far',
    'odd',
    'service',
    'node',
    'addr',
    'query',
    'dc1',
    'consul',
    '_tcp',
    '_web',
    'WEB',
  ),
  fc.string({ minLength: 1, maxLength: 8 }).filter((text) => !text.includes('.')),
  fc.constantFrom('0a500101', 'in-addr', 'ip6', 'arpa', '1', '10'),
);
const name = fc.oneof(
  fc.constantFrom(
    'web.service.consul',
    'v1.web.service.consul',
    'far.service.consul',
    'n9.node.consul',
    'consul',
    '',
  ),
  fc.constantFrom('web.service.alt.example', '_web._tcp.consul', '1.0.82.10.in-addr.arpa', 'www.example.com'),
  fc.array(label, { minLength: 1, maxLength: 8 }).map((labels) => labels.join('.')),
);

const valid = fc
  .record({
    name,
    type: fc.constantFrom<RecordType[]>(
      'A',
      'AAAA',
      'SRV',
      'TXT',
      'PTR',
      'SOA',
      'NS',
      'NAPTR',
      'AXFR',
      'CNAME',
    ),
    questions: fc.constantFrom(1, 1, 1, 1, 2, 50),
    edns: fc.constantFrom(undefined, 0, 512, 513, 1232, 65_535),
    version: fc.constantFrom(0, 0, 0, 1, 255),
    flags: fc.nat(0xffff),
  })
  .map(({ name: asked, type, questions, edns, version, flags }) => {
    const question = { name: asked, type };
    const message = encode({
      type: 'query',
      id: 4711,
      flags: 0,
      questions: Array.from({ length: questions }, () => question),
      additionals:
        edns === undefined
          ? []
          : [
              {
                name: '.',
                type: 'OPT',
                udpPayloadSize: edns,
                extendedRcode: 0,
                ednsVersion: version,
                flags: 0,
                flag_do: false,
                options: [],
              },
            ],
    });
    // Mostly an honest query; at times any flags at all.
    if (flags % 4 === 0) message.writeUInt16BE(flags, 2);
    return message;
  });

const edited = fc
  .tuple(
    valid,
    fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 5 }),
    fc.nat(400),
    fc.uint8Array({ maxLength: 40 }),
  )
  .map(([message, edits, cut, more]) => {
    const changed = Buffer.concat([message, cut % 5 === 0 ? more : Buffer.alloc(0)]);
    for (const [at, byte] of edits) changed[at % changed.length] = byte;
    return cut % 3 === 0 ? changed.subarray(0, cut) : changed;
  });

/** Names whose labels are pointers: to themselves, forth and back, to the header, behind the end. */
const looping = fc
  .tuple(fc.array(fc.nat(0x3fff), { minLength: 1, maxLength: 6 }), fc.boolean(), fc.nat(3))
  .map(([targets, near, additionals]) => {
    const head = Buffer.from([0x12, 0x67, 1, 0, 0, 1, 0, 0, 0, 0, 0, additionals]);
    const pointers = Buffer.alloc(2 * targets.length);
    targets.forEach((target, i) => {
      pointers.writeUInt16BE(0xc000 | (near ? 12 + (target % 12) : target), 2 * i);
    });
    const question =
      additionals === 0
        ? pointers
        : Buffer.concat([Buffer.from('036e393900', 'hex'), Buffer.from([0, 1, 0, 1])]);
    return Buffer.concat([head, question, pointers, Buffer.from([0, 1, 0, 1, 0, 0, 0, 0, 0, 2]), pointers]);
  });

const junk = fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes));

test.each<[string, fc.Arbitrary<Buffer>, number]>([
  ['queries of all kinds', valid, 3_000],
  ['queries with bytes changed, cut off or added', edited, 6_000],
  ['names that are pointers', looping, 2_000],
  ['bytes without sense', junk, 2_000],
])('%s are answered well, refused, or met with silence', async (_, messages, numRuns) => {
  await fc.assert(
    fc.asyncProperty(messages, transport, async (message, over) => {
      // What was asked before is answered from what is kept.
      for (const one of [alone, alone, asking]) check(await one.respond(message, over), message, over);
      const failure = serverFailure(message);
      if (failure) check(failure, message, over);
    }),
    { numRuns },
  );
});

function check(reply: Buffer | undefined, message: Buffer, over: 'udp' | 'tcp'): void {
  if (!reply) {
    expect(message.length < 12 || (message[2] ?? 0) >= 0x80).toBe(true);
    return;
  }
  expect(reply.length).toBeLessThanOrEqual(over === 'udp' ? 4_096 : 65_535);
  expect(reply.subarray(0, 2)).toEqual(message.subarray(0, 2));
  expect(reply.readUInt16BE(2) & 0x8000).toBe(0x8000);
  // What a nameserver elsewhere has said is handed on as it is.
  if (reply.subarray(4).equals(message.subarray(4))) return;
  decode(reply);
  expect(decode.bytes).toBe(reply.length);
}
