import { expect, test } from 'vitest';
import { parseKvAddress } from '../../../src/cli/configuration/kv-address.ts';

const ENV = { CONSUL_HTTP_TOKEN: 'from-env', CONSUL_CACERT: '/nowhere' };

test('an address says where to ask, for what, and what to show', () => {
  const { token, ...address } = parseKvAddress('kv://10.0.0.1,[::1]:8501/vane/lb%201?dc=dc2&cache=/c', ENV);
  expect(token()).toBe('from-env');
  expect(address).toEqual({
    text: 'kv://10.0.0.1,[::1]:8501/vane/lb%201',
    urls: ['http://10.0.0.1:8500', 'http://[::1]:8501'],
    key: 'vane/lb 1',
    datacenter: 'dc2',
    ca: undefined,
    cache: '/c',
  });
  expect(() => parseKvAddress('kv://a/b?token-file=/nowhere', {}).token()).toThrow('ENOENT');
});

test.each<[string, RegExp]>([
  ['kv://127.0.0.1:8500', /expected kv:\/\/host:port/],
  ['kv://user@127.0.0.1/a', /expected/],
  ['kv://127.0.0.1:85000/a', /port/],
  ['kv://127.0.0.1/a/', /a\/ is a folder/],
  ['kv://127.0.0.1/%zz', /a % is written %25/],
  ['kv://127.0.0.1/a?token-fil=x', /unknown parameter token-fil \(did you mean token-file\?\)/],
  ['kv://127.0.0.1/a?token=secret', /unknown parameter token \(/],
  ['kv://127.0.0.1/a?ca-file=/x', /only with kvs:\/\//],
  ['kvs://127.0.0.1/a', /ca-file cannot be read: ENOENT/],
])('%s is refused, and how it is written is told', (address, expected) => {
  expect(() => parseKvAddress(address, ENV)).toThrow(expected);
});
