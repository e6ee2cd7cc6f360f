import { type Answer, decode, encode } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compressNames } from '../../../src/dns/compress.ts';
import { frame, MessageReader } from '../../../src/dns/framing.ts';
import { shuffled } from '../../../src/dns/shuffle.ts';

describe('name compression', () => {
  const name = fc
    .array(fc.constantFrom('a', 'B', 'b', 'web', 'service', 'consul', 'x'.repeat(63)), {
      minLength: 1,
      maxLength: 3,
    })
    .map((labels) => labels.join('.'));
  const ttl = fc.nat(1000);
  const record: fc.Arbitrary<Answer> = fc.oneof(
    fc.record({ name, ttl, type: fc.constant('A' as const), data: fc.ipV4() }),
    fc.record({
      name,
      ttl,
      type: fc.constantFrom('CNAME' as const, 'NS' as const, 'PTR' as const),
      data: name,
    }),
    fc.record({
      name,
      ttl,
      type: fc.constant('SRV' as const),
      data: fc.record({ target: name, port: fc.nat(65_535), priority: fc.nat(9), weight: fc.nat(9) }),
    }),
    fc.record({
      name,
      ttl,
      type: fc.constant('SOA' as const),
      data: fc.record({
        mname: name,
        rname: name,
        serial: fc.nat(),
        refresh: fc.nat(),
        retry: fc.nat(),
        expire: fc.nat(),
        minimum: fc.nat(),
      }),
    }),
    // Bytes that look like names and pointers, but are none.
    fc.record({
      name,
      ttl,
      type: fc.constant('TXT' as const),
      data: fc.constant(Buffer.from([3, 0x77, 0xc0, 0x0c, 0])),
    }),
  );

  test('changes the bytes and nothing they say', () => {
    const records = fc.array(record, { maxLength: 40 });
    fc.assert(
      fc.property(name, records, records, records, (question, answers, authorities, additionals) => {
        const plain = encode({
          type: 'response',
          questions: [{ name: question, type: 'A' }],
          answers,
          authorities,
          additionals,
        });
        const compressed = compressNames(plain);
        expect(decode(compressed)).toEqual(decode(plain));
        expect(compressed.length).toBeLessThanOrEqual(plain.length);
      }),
    );
  });

  test('works beyond the reach of pointers', () => {
    const answers: Answer[] = Array.from({ length: 1500 }, (_, i) => ({
      name: `host-${i}.some.long.domain.example`,
      type: 'A',
      ttl: 1,
      data: '10.0.0.1',
    }));
    const plain = encode({ type: 'response', answers });
    expect(decode(compressNames(plain))).toEqual(decode(plain));
  });

  test('owners are two bytes each, SRV targets stay whole (RFC 2782)', () => {
    const srv = (target: string): Answer => ({
      name: 'web.service.consul',
      type: 'SRV',
      data: { port: 1, target },
    });
    const target = 'n1.node.dc1.consul';
    const message = { questions: [{ name: 'web.service.consul', type: 'SRV' as const }] };
    const one = compressNames(encode({ ...message, answers: [srv(target)] }));
    const two = compressNames(encode({ ...message, answers: [srv(target), srv(target)] }));
    expect(two.length - one.length).toBe(2 + 10 + 6 + target.length + 2);
  });
});

describe('framing', () => {
  test('messages come out whole however they are cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (parts, cuts) => {
        const sent = parts.map((part) => Buffer.from(part));
        const stream = Buffer.concat(sent.map(frame));
        const got: Buffer[] = [];
        const reader = new MessageReader((message) => got.push(message));
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          reader.push(stream.subarray(at, at + size));
          at += size;
        }
        expect(got.filter((message) => message.length > 0)).toEqual(
          sent.filter((message) => message.length > 0),
        );
      }),
    );
  });
});

test('a shuffle yields everything once, whatever the dice say', () => {
  const items = fc.array(fc.record({ id: fc.nat() }), { maxLength: 30 });
  fc.assert(
    fc.property(
      items,
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }),
      (all, dice) => {
        let i = 0;
        const drawn = [...shuffled(all, () => dice[i++ % dice.length] ?? 0)];
        expect(drawn).toHaveLength(all.length);
        expect(new Set(drawn)).toEqual(new Set(all));
      },
    ),
  );
});
