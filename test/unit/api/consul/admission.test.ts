import { describe, expect, test } from 'vitest';
import { admit } from '../../../../src/api/consul/admission.ts';

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
    expect(() => admit({ method: 'GET', host, origin: undefined }, '127.0.0.1')).not.toThrow();
  });

  test.each([
    'evil.example',
    'evil.example:8500',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '127.evil.example',
  ])('%s is not', (host) => {
    expect(() => admit({ method: 'GET', host, origin: undefined }, '127.0.0.1')).toThrow('not served');
  });

  test('a public address serves any name', () => {
    expect(() => admit({ method: 'GET', host: 'lb.example', origin: undefined }, '0.0.0.0')).not.toThrow();
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
    const attempt = () => admit({ method, host: '127.0.0.1:8500', origin }, '127.0.0.1');
    if (served) expect(attempt).not.toThrow();
    else expect(attempt).toThrow('another origin');
  });
});
