import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClientAddress } from '../../../../src/proxy/lanes/lane.ts';
import {
  LONGEST_PROXY_HEAD,
  parseProxyHead,
  writeProxyHead,
} from '../../../../src/proxy/tcp/proxy-protocol.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const v2 = (rest: string) => hex(SIGNATURE + rest);

const V4: ClientAddress = {
  address: '192.0.2.1',
  localAddress: '198.51.100.7',
  port: 56_324,
  localPort: 443,
};
const V6: ClientAddress = { address: '2001:db8::1', localAddress: '::1', port: 1, localPort: 65_535 };
/** As the specification has it (section 2.2): signature, 0x21, family, length, addresses, ports. */
const V4_BYTES = v2('21 11 000c c0000201 c6336407 dc04 01bb');
const V6_BYTES = v2('21 21 0024 20010db8000000000000000000000001 00000000000000000000000000000001 0001 ffff');

describe('a head of the PROXY protocol', () => {
  test.each([
    ['v1', V4, Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n')],
    ['v1', V6, Buffer.from('PROXY TCP6 2001:db8::1 ::1 1 65535\r\n')],
    ['v2', V4, V4_BYTES],
    ['v2', V6, V6_BYTES],
  ] as const)('of version %s is written and read: %o', (version, client, bytes) => {
    expect(writeProxyHead(version, client)).toEqual(bytes);
    expect(parseProxyHead(bytes)).toEqual({ kind: 'whole', size: bytes.length, client });
    // What comes behind it is the client's.
    expect(parseProxyHead(Buffer.concat([bytes, bytes]))).toMatchObject({ size: bytes.length });
    for (let length = 0; length < bytes.length; length++) {
      expect(parseProxyHead(bytes.subarray(0, length))).toEqual({ kind: 'incomplete' });
    }
  });

  test.each([
    ['v1', 'PROXY TCP6 ::ffff:192.0.2.1 ::1 56324 443\r\n'],
    ['v2', v2('21 21 0024 00000000000000000000ffffc0000201 00000000000000000000000000000001 dc04 01bb')],
  ] as const)('of version %s tells addresses of two families as IPv6', (version, expected) => {
    expect(writeProxyHead(version, { ...V4, localAddress: '::1' })).toEqual(Buffer.from(expected));
  });

  test.each(['v1', 'v2'] as const)('of version %s for nobody says that it is for nobody', (version) => {
    const bytes = writeProxyHead(version, undefined);
    expect(parseProxyHead(bytes)).toEqual({ kind: 'whole', size: bytes.length, client: undefined });
    expect(writeProxyHead(version, { address: '', localAddress: '', port: 0, localPort: 0 })).toEqual(bytes);
  });

  test.each([
    ['UNKNOWN, whatever follows', Buffer.from('PROXY UNKNOWN ::1 any thing\r\n')],
    ['LOCAL with addresses', v2('20 11 000c c0000201 c6336407 dc04 01bb')],
    ['of a family without IP addresses', v2('21 31 0004 00000000')],
  ])('%s leaves the address as it is', (_, bytes) => {
    expect(parseProxyHead(bytes)).toEqual({ kind: 'whole', size: bytes.length, client: undefined });
  });

  test('is read over what else a proxy tells', () => {
    const bytes = v2('21 11 0013 c0000201 c6336407 dc04 01bb 04 0004 00000000');
    expect(parseProxyHead(bytes)).toEqual({ kind: 'whole', size: bytes.length, client: V4 });
  });

  test.each([
    ['a request', Buffer.from('GET / HTTP/1.1\r\n')],
    ['TLS', hex('160301')],
    ['lower case', Buffer.from('proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n')],
    ['no CR', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n')],
    ['two blanks', Buffer.from('PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n')],
    ['another family', Buffer.from('PROXY TCP4 ::1 ::1 1 2\r\n')],
    ['a name', Buffer.from('PROXY TCP4 localhost 1.2.3.4 1 2\r\n')],
    ['a port too large', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n')],
    ['a port with a zero before it', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n')],
    ['no port', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n')],
    ['too much', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n')],
    ['a line without end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(100)}`)],
    ['another version', v2('31')],
    ['another command', v2('22')],
    ['addresses cut short', v2('21 11 0004 c0000201')],
    ['too long', v2('21 11 ffff')],
  ])('is none: %s', (_, bytes) => expect(parseProxyHead(bytes)).toEqual({ kind: 'invalid' }));

  test('is what was written, for all addresses', () => {
    const client = fc.record({
      address: fc.ipV4(),
      localAddress: fc.ipV4(),
      port: fc.nat(65_535),
      localPort: fc.nat(65_535),
    });
    fc.assert(
      fc.property(client, fc.constantFrom('v1' as const, 'v2' as const), (who, version) => {
        expect(parseProxyHead(writeProxyHead(version, who))).toMatchObject({ client: who });
      }),
    );
    const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (six) => {
        const address = six.map((group) => group.toString(16)).join(':');
        const who = { ...V6, address };
        const told = parseProxyHead(writeProxyHead('v2', who));
        const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
        expect(told).toMatchObject({ client: { address: canonical } });
      }),
    );
  });

  test('never throws, and never waits for more than the longest', () => {
    const begins = fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', hex(`${SIGNATURE}2111`).toString('latin1'));
    fc.assert(
      fc.property(begins, fc.uint8Array({ maxLength: 200 }), (begin, rest) => {
        const bytes = Buffer.concat([Buffer.from(begin, 'latin1'), rest]);
        const head = parseProxyHead(bytes);
        if (head.kind === 'whole') expect(head.size).toBeLessThanOrEqual(bytes.length);
        const much = Buffer.concat([bytes, Buffer.alloc(LONGEST_PROXY_HEAD, 'x')]);
        expect(parseProxyHead(much).kind).not.toBe('incomplete');
      }),
    );
  });
});
