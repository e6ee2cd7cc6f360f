import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isHostname, isInZone, type ParsedName, parseName } from '../../../src/dns/names.ts';

const zone = { domain: 'consul', datacenter: 'dc1' };
const service = (service: string, tag?: string): ParsedName => ({ kind: 'service', service, tag });
const node = (node: string): ParsedName => ({ kind: 'node', node });
const addr = (address: number[] | undefined): ParsedName => ({ kind: 'addr', address });
const reverse = (address: number[] | undefined): ParsedName => ({ kind: 'reverse', address });
const unknown: ParsedName = { kind: 'unknown' };
const outside: ParsedName = { kind: 'outside' };

describe('names in the registry zone', () => {
  test.each<[string, ParsedName]>([
    ['web.service.consul', service('web')],
    ['web.service.consul.', service('web')],
    ['Web.SERVICE.Consul', service('web')],
    ['web.service.dc1.consul', service('web')],
    ['web.service.DC1.consul', service('web')],
    ['web.service.dc9.consul', unknown],
    ['web.service.x.dc1.consul', unknown],
    ['v1.web.service.consul', service('web', 'v1')],
    ['a.b.c.web.service.dc1.consul', service('web', 'a.b.c')],
    ['x_y.web_1.service.consul', service('web_1', 'x_y')],
    ['_web._tcp.service.consul', service('web')],
    ['_web._TCP.service.consul', service('web')],
    ['_web._udp.service.consul', service('web', 'udp')],
    ['_web._v1.service.dc1.consul', service('web', 'v1')],
    ['_web._tcp.consul', unknown],
    ['service.consul', unknown],
    ['lb-1.node.consul', node('lb-1')],
    ['rack.1.node.dc1.consul', node('rack.1')],
    ['lb-1.node.dc2.consul', unknown],
    ['node.consul', unknown],
    ['0a500101.addr.consul', addr([10, 80, 1, 1])],
    ['0A500101.addr.dc9.consul', addr([10, 80, 1, 1])],
    [
      '20010db8000000000000000000000080.addr.consul',
      addr([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]),
    ],
    ['zzzzzzzz.addr.consul', unknown],
    ['0a5001011.addr.consul', unknown],
    ['0a5101.addr.consul', addr(undefined)],
    ['0a51010501.addr.consul', addr(undefined)],
    ['x.0a510105.addr.consul', unknown],
    ['addr.consul', unknown],
    ['consul', unknown],
    ['anything.consul', unknown],
    ['web..service.consul', unknown],
    ['web.service.consul.service.consul', service('consul', 'web.service')],
    ['web.service.consul.consul', unknown],
    ['web.service.consul.node.consul', node('web.service.consul')],
    ['Web.Query.consul', { kind: 'query', query: 'web' }],
    ['near.web.query.dc1.consul', { kind: 'query', query: 'near.web' }],
    ['web.query.dc2.consul', unknown],
    ['query.consul', unknown],
    ['1.1.80.10.in-addr.arpa', reverse([10, 80, 1, 1])],
    ['80.10.in-addr.arpa', reverse(undefined)],
    ['www.example.com', outside],
    ['consul.example.com', outside],
    ['xconsul', outside],
    ['', outside],
  ])('%s', (name, parsed) => {
    expect(parseName(name, zone, false)).toEqual(parsed);
  });

  test.each<[string, ParsedName]>([
    ['_web._tcp.consul', service('web')],
    ['_web._v1.dc1.consul', service('web', 'v1')],
    ['_web._tcp.dc9.consul', unknown],
    ['_web._tcp.service.consul', service('web')],
    ['web.service.consul', service('web')],
    ['web.consul', unknown],
  ])('for SRV: %s', (name, parsed) => {
    expect(parseName(name, zone, true)).toEqual(parsed);
  });

  test('the zone may have several labels', () => {
    const corp = { domain: 'Consul.Corp', datacenter: 'dc1' };
    expect(parseName('web.service.consul.corp', corp, false)).toEqual(service('web'));
    expect(parseName('web.service.consul', corp, false)).toEqual(outside);
    expect(isInZone('consul.corp.', corp)).toBe(true);
    expect(isInZone('myconsul.corp', corp)).toBe(false);
  });

  test('a second domain has the same names; where one lies within the other, the longer one counts', () => {
    const two = { ...zone, altDomain: 'Lab.Example' };
    expect(parseName('v1.web.service.dc1.lab.example', two, false)).toEqual(service('web', 'v1'));
    expect(parseName('web.service.consul', two, false)).toEqual(service('web'));
    expect(parseName('lab.example', two, false)).toEqual(unknown);
    expect(parseName('web.service.example', two, false)).toEqual(outside);
    const within = { ...zone, altDomain: 'service.consul' };
    expect(parseName('web.service.service.consul', within, false)).toEqual(service('web'));
    expect(parseName('web.service.consul', within, false)).toEqual(unknown);
    expect(isInZone('x.lab.example.', two)).toBe(true);
  });

  test('case and a trailing dot never matter', () => {
    const label = fc.constantFrom(
      'web',
      'service',
      'node',
      'addr',
      '_tcp',
      '_web',
      'dc1',
      'consul',
      '0a500101',
      'V1',
      '',
    );
    fc.assert(
      fc.property(fc.array(label, { maxLength: 7 }), fc.boolean(), (labels, srv) => {
        const name = [...labels, 'consul'].join('.');
        const parsed = parseName(name, zone, srv);
        expect(parseName(name.toUpperCase(), zone, srv)).toEqual(parsed);
        expect(parseName(`${name}.`, zone, srv)).toEqual(parsed);
        expect(parsed.kind).not.toBe('outside');
      }),
    );
  });
});

test.each([
  ['web-1.example.com', true],
  ['web-1.example.com.', true],
  ['_web._tcp', true],
  ['a'.repeat(63), true],
  ['a'.repeat(64), false],
  [`${'a'.repeat(63)}.`.repeat(4), false],
  ['', false],
  ['.', false],
  ['a..b', false],
  ['a b', false],
  ['a\n', false],
  ['münchen', false],
])('%j is a host name: %s', (name, is) => {
  expect(isHostname(name)).toBe(is);
});
