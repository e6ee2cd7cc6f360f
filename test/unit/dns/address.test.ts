import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressToHex,
  familyOf,
  formatAddress,
  hexToAddress,
  parseAddress,
  reverseNameToAddress,
} from '../../../src/dns/address.ts';

describe('addresses', () => {
  test.each([
    ['10.80.1.1', '10.80.1.1'],
    ['2001:DB8:0:0:0:0:0:80', '2001:db8::80'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ])('%s is spelled %s', (text, canonical) => {
    const bytes = parseAddress(text);
    expect(bytes && formatAddress(bytes)).toBe(canonical);
  });

  test.each([
    '',
    'web',
    '10.80.1',
    '10.80.1.256',
    '010.80.1.1',
    '10.80.1.1.1',
    '1:2:3',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    'fe80::1%eth0',
    '12345::',
    ':::',
    '1:2:3:4:5:6:7:8::',
    '1.2.3.4::1',
  ])('%j is no address', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test('agrees with the system about what is an address, but for zone ids', () => {
    const some = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.stringMatching(/^[0-9a-f:.]{1,20}$/),
      fc
        .array(fc.constantFrom('::', ':', '0', '1f', 'ffff', '10.0.0.1', '.'), { maxLength: 12 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(some, (text) => {
        expect(parseAddress(text) !== undefined).toBe(isIP(text) !== 0);
      }),
    );
  });

  test('an address survives being written and read in every form', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(bytes, (raw) => {
        const address = hexToAddress(addressToHex([...raw]));
        expect(address).toBeDefined();
        if (!address) return;
        expect(parseAddress(formatAddress(address))).toEqual(address);
        expect(isIP(formatAddress(address))).toBe(familyOf(address) === 'A' ? 4 : 6);
      }),
    );
  });

  test.each([
    ['1.1.80.10.in-addr.arpa', '10.80.1.1'],
    ['1.1.80.10.IN-ADDR.arpa', '10.80.1.1'],
    ['7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.8.0.0.8.b.d.0.1.0.0.2.ip6.arpa', '2001:db8:81::7'],
    ['80.10.in-addr.arpa', undefined],
    ['1.1.1.80.10.in-addr.arpa', undefined],
    ['300.1.80.10.in-addr.arpa', undefined],
    ['x.1.80.10.in-addr.arpa', undefined],
    ['8.b.d.0.1.0.0.2.ip6.arpa', undefined],
    ['1.1.80.10.example.com', undefined],
  ])('the reverse name %s is %s', (name, address) => {
    const bytes = reverseNameToAddress(name);
    expect(bytes && formatAddress(bytes)).toBe(address);
  });
});
