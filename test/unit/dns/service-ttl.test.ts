import { expect, test } from 'vitest';
import { ttlOfService } from '../../../src/dns/service-ttl.ts';

const ttls = { '*': 5, 'web*': 10, 'web-a*': 20, 'web-ab': 30, db: 0, constructor: 9 };

test.each([
  ['web-ab', 30],
  ['WEB-AB', 30],
  ['web-abc', 20],
  ['web', 10],
  ['db', 0],
  ['db2', 5],
  ['constructor', 9],
  ['tostring', 5],
])('the TTL of %s is %d: its own, else that of the longest beginning', (service, seconds) => {
  expect(ttlOfService(ttls, service)).toBe(seconds);
});

test('0 where nothing is said', () => {
  expect(ttlOfService({}, 'web')).toBe(0);
  expect(ttlOfService({ 'x*': 1 }, 'web')).toBe(0);
});
