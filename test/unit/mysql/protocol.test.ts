import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  errorPacket,
  noServerPacket,
  parseError,
  shutdownPacket,
  tooManyPacket,
} from '../../../src/mysql/protocol/error-packet.ts';
import { parseGreeting } from '../../../src/mysql/protocol/greeting.ts';
import { failingLogin, judgeLogin } from '../../../src/mysql/protocol/login.ts';
import { firstPacket, lengthEncoded, PacketScanner, packet } from '../../../src/mysql/protocol/packets.ts';

/** What MariaDB 10.11 greets with. */
const GREETING = Buffer.concat([
  Buffer.from('\x0a5.5.5-10.11.19-MariaDB-0+deb12u1\0', 'latin1'),
  Buffer.from([0x2a, 1, 0, 0]),
  Buffer.from('12345678\0', 'latin1'),
  Buffer.from([0xfe, 0xf7, 0x2d, 0x02, 0x00, 0xff, 0x81, 21]),
  Buffer.alloc(10),
  Buffer.from('abcdefghijkl\0mysql_native_password\0', 'latin1'),
]);

describe('a greeting', () => {
  test('is read with its thread id, capabilities and plugin', () => {
    expect(parseGreeting(GREETING)).toEqual({
      version: '5.5.5-10.11.19-MariaDB-0+deb12u1',
      threadId: 298,
      capabilities: 0x81fff7fe,
      status: 2,
      plugin: 'mysql_native_password',
    });
  });

  test('cut short anywhere is none, or has a shorter plugin', () => {
    for (let length = 0; length < GREETING.length; length++) {
      const greeting = parseGreeting(GREETING.subarray(0, length));
      if (greeting) expect('mysql_native_password'.startsWith(greeting.plugin)).toBe(true);
    }
  });

  test('is no error, and an error no greeting', () => {
    const [, refusal] = [parseGreeting(GREETING), firstPacket(tooManyPacket('Too many connections'))];
    expect(parseError(GREETING)).toBeUndefined();
    expect(parseGreeting(refusal?.payload ?? Buffer.alloc(0))).toBeUndefined();
  });
});

describe('errors', () => {
  test('instead of a greeting are as servers send them: sequence 0, no SQLSTATE', () => {
    expect(tooManyPacket('Too many connections').toString('latin1')).toBe(
      '\x17\0\0\0\xff\x10\x04Too many connections',
    );
    expect(firstPacket(noServerPacket('no'))).toMatchObject({ sequence: 0 });
    expect(parseError(firstPacket(noServerPacket('no'))?.payload ?? Buffer.alloc(0))).toEqual({
      code: 1053,
      state: undefined,
      message: 'no',
    });
  });

  test('to a session that waits for nothing have sequence 1 and a SQLSTATE, as the answer to its next command', () => {
    const first = firstPacket(shutdownPacket('vane: db1 is down'));
    expect(first?.sequence).toBe(1);
    expect(parseError(first?.payload ?? Buffer.alloc(0))).toEqual({
      code: 1053,
      state: '08S01',
      message: 'vane: db1 is down',
    });
  });

  test('are read as they were written', () => {
    const state = fc.option(fc.constantFrom('08S01', 'HY000'), { nil: undefined });
    const message = fc.string({ minLength: 1 }).filter((text) => !text.startsWith('#'));
    fc.assert(
      fc.property(fc.nat(0xffff), state, message, (code, sqlState, text) => {
        const bytes = errorPacket(3, { code, state: sqlState, message: text });
        const read = parseError(firstPacket(bytes)?.payload ?? Buffer.alloc(0));
        expect(read).toEqual({ code, state: sqlState, message: text });
      }),
    );
  });
});

describe('a login', () => {
  const plain = failingLogin();
  const request = Buffer.alloc(32);
  request.writeUInt32LE(0x200 | 0x800, 0);
  const sslRequest = packet(1, request);
  const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 0, 4]), Buffer.from('abcd')]);

  test('is whole with its last byte, and not before', () => {
    for (let length = 0; length < plain.length; length++) {
      expect(judgeLogin(plain.subarray(0, length)).kind).toBe('incomplete');
    }
    expect(judgeLogin(plain)).toMatchObject({ kind: 'whole', encrypted: false });
  });

  test('that asks for encryption is whole with the first record of TLS', () => {
    const whole = Buffer.concat([sslRequest, hello]);
    for (let length = 0; length < whole.length; length++) {
      expect(judgeLogin(whole.subarray(0, length)).kind).toBe('incomplete');
    }
    expect(judgeLogin(whole)).toMatchObject({ kind: 'whole', encrypted: true });
  });

  test.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['TLS at once', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1])],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
    ['zeros', Buffer.alloc(64)],
    ['the wrong sequence', packet(0, plain.subarray(4))],
    ['too short a packet', packet(1, Buffer.from([1, 2]))],
    ['a protocol before 4.1', packet(1, Buffer.from('\x85\xa6\0\0\0root\0', 'latin1'))],
    ['encryption that is none', Buffer.concat([sslRequest, Buffer.from('GET')])],
  ])('is not %s', (_, bytes) => {
    expect(judgeLogin(bytes).kind).toBe('invalid');
  });
});

describe('packets', () => {
  test('are found in whatever pieces they come', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 });
    const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(payloads, cuts, (all, sizes) => {
        const stream = Buffer.concat(all.map((bytes, i) => packet(i, Buffer.from(bytes))));
        const found: string[] = [];
        const scanner = new PacketScanner(({ sequence, length, head }) =>
          found.push(`${sequence} ${length} ${head.toString('hex')}`),
        );
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          scanner.push(stream.subarray(at, at + size));
          at += size;
        }
        const wanted = all.map(
          (bytes, i) => `${i} ${bytes.length} ${Buffer.from(bytes).subarray(0, 40).toString('hex')}`,
        );
        expect(found).toEqual(wanted);
        expect(scanner.isWithin).toBe(false);
      }),
    );
  });

  test('that nobody wants to hear of are passed over, and those behind them are not', () => {
    const seen: number[] = [];
    const scanner = new PacketScanner(
      ({ sequence }) => seen.push(sequence),
      (first) => first === 1,
    );
    const [dull, wanted] = [Buffer.from([1, 2, 3]), Buffer.from([2])];
    scanner.push(Buffer.concat([packet(0, dull), packet(1, wanted), packet(2, dull), packet(3, wanted)]));
    // The end of a long one may begin with any byte, and is told.
    scanner.push(packet(4, Buffer.alloc(0xffffff, 1)));
    scanner.push(packet(5, dull));
    scanner.push(packet(6, dull));
    expect(seen).toEqual([1, 3, 4, 5]);
  });

  test('that continue others are told from those that begin', () => {
    const seen: boolean[] = [];
    const scanner = new PacketScanner(({ continues }) => seen.push(continues));
    scanner.push(packet(0, Buffer.alloc(0xffffff)));
    scanner.push(packet(1, Buffer.alloc(3)));
    scanner.push(packet(0, Buffer.alloc(3)));
    expect(seen).toEqual([false, true, false]);
  });

  test.each([
    [[0xfa], 250],
    [[0xfc, 1, 1], 257],
    [[0xfd, 1, 0, 1], 65_537],
    [[0xfe, 1, 0, 0, 0, 0, 0, 0, 0], 1],
  ])('carry integers of several lengths: %j', (bytes, value) => {
    expect(lengthEncoded(Buffer.from(bytes), 0)).toEqual({ value, next: bytes.length });
    expect(lengthEncoded(Buffer.from(bytes).subarray(0, -1), 0)).toBeUndefined();
  });
});
