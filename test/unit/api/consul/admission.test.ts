import { describe, expect, test } from 'vitest';
import { admit } from '../../../../src/api/consul/admission.ts';

const LOOPBACK = { bindHost: '127.0.0.1', allowed: undefined };
const EVERYWHERE = { bindHost: '0.0.0.0', allowed: undefined };

describe('a loopback address serves loopback names only', () => {
  test.each([
    'localhost',
    'localhost:8500',
    '127.0.0.1:8500',
    '127.1.2.3',
    '[::1]:8500',
    'consul.service.consul:8500',
    '',
  ])('%s is served', (host) => {
    expect(() => admit('GET', { host }, LOOPBACK)).not.toThrow();
  });

  test.each([
    'evil.example',
    'evil.example:8500',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '127.evil.example',
  ])('%s is not', (host) => {
    expect(() => admit('GET', { host }, LOOPBACK)).toThrow('not served');
  });

  test('a public address serves any name', () => {
    expect(() => admit('GET', { host: 'lb.example' }, EVERYWHERE)).not.toThrow();
  });
});

describe('with names that are allowed', () => {
  const allowed = ['lb.example', '.corp.example'];

  test.each(['lb.example', 'LB.example:8500', 'a.corp.example', 'localhost:8500', '10.0.0.1', 'x.consul'])(
    '%s is served on a public address',
    (host) => {
      expect(() => admit('GET', { host }, { ...EVERYWHERE, allowed })).not.toThrow();
    },
  );

  test.each(['evil.example', 'corp.example', 'xcorp.example', 'lb.example.evil.example', '10.0.0.1.evil'])(
    '%s is not',
    (host) => {
      expect(() => admit('GET', { host }, { ...EVERYWHERE, allowed })).toThrow('not served');
    },
  );

  test('they are served on a loopback address too, addresses of others are not', () => {
    expect(() => admit('GET', { host: 'lb.example' }, { ...LOOPBACK, allowed })).not.toThrow();
    expect(() => admit('GET', { host: '10.0.0.1' }, { ...LOOPBACK, allowed })).toThrow('not served');
  });
});

describe('writes from web pages', () => {
  test.each([
    ['from elsewhere', 'PUT', 'http://evil.example', false],
    ['from an opaque origin', 'PUT', 'null', false],
    ['from another port', 'DELETE', 'http://127.0.0.1:9999', false],
    ['from the same origin', 'PUT', 'http://127.0.0.1:8500', true],
    ['reads are harmless: the page cannot see the answer', 'GET', 'http://evil.example', true],
  ])('%s', (_name, method, origin, served) => {
    const attempt = () => admit(method, { host: '127.0.0.1:8500', origin }, LOOPBACK);
    if (served) expect(attempt).not.toThrow();
    else expect(attempt).toThrow('another origin');
  });
});

describe('what a browser says of the page', () => {
  const host = '127.0.0.1:8500';

  test.each([
    ['a fetch of another site', 'GET', 'cross-site', 'no-cors', false],
    ['a fetch of another port of this machine', 'GET', 'same-site', 'cors', false],
    ['a link on another site', 'GET', 'cross-site', 'navigate', true],
    ['a form on another site', 'POST', 'cross-site', 'navigate', false],
    ['its own fetch', 'PUT', 'same-origin', 'cors', true],
    ['an address that somebody typed', 'GET', 'none', 'navigate', true],
  ])('%s', (_name, method, site, mode, served) => {
    const head = { host, 'sec-fetch-site': site, 'sec-fetch-mode': mode };
    const attempt = () => admit(method, head, LOOPBACK);
    if (served) expect(attempt).not.toThrow();
    else expect(attempt).toThrow('another origin');
  });
});
