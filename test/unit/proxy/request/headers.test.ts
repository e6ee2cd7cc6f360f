import { describe, expect, test } from 'vitest';
import {
  claimForwarded,
  endToEndHeaders,
  withHeader,
  withHost,
  withoutListed,
} from '../../../../src/proxy/request/headers.ts';
import { namesOf, requestHead, valuesOf } from '../fixtures.ts';

const flat = (...fields: readonly (readonly [string, string])[]) => fields.flat();

describe('fields of the connection', () => {
  test.each([
    'Connection',
    'Content-Length',
    'Expect',
    'Keep-Alive',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
  ])('%s is never passed on', (name) => {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(endToEndHeaders([spelled, 'x', 'Accept', 'y'])).toEqual(['Accept', 'y']);
    }
  });

  test('all others are, in their order and case, doubles included', () => {
    const headers = flat(['X-b', '1'], ['hOST', 'a'], ['X-B', '2'], ['Cookie', 'c'], ['__proto__', '']);
    expect(endToEndHeaders(headers)).toEqual(headers);
    expect(withoutListed(headers)).toEqual(headers);
  });
});

describe('fields that Connection lists', () => {
  test.each([
    ['x-a', []],
    ['X-A', []],
    [' x-a\t,close', []],
    ['close, X-A , x-b', []],
    ['x-b', ['x-a']],
    ['', ['x-a']],
    ['x-a-b', ['x-a']],
    ['*', ['x-a']],
  ])('are not passed on: %j leaves %j', (connection, left) => {
    const headers = flat(['x-a', '1'], ['Connection', connection], ['X-a', '2']);
    expect(new Set(namesOf(withoutListed(headers)).map((name) => name.toLowerCase()))).toEqual(
      new Set(['connection', ...left]),
    );
  });

  test('several Connection lines list together', () => {
    const headers = flat(['A', '1'], ['Connection', 'b'], ['B', '2'], ['connection', 'close, a']);
    expect(endToEndHeaders(withoutListed(headers))).toEqual([]);
  });

  test.each([
    'Authorization',
    'Cookie',
    'Forwarded',
    'Host',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Real-IP',
  ])('%s cannot be removed that way', (name) => {
    const headers = flat(['Connection', `close, ${name.toLowerCase()}`], [name, 'x']);
    expect(withoutListed(headers)).toEqual(headers);
  });

  test('what is of the connection anyway stays to be seen by rules', () => {
    const headers = flat(
      ['Connection', 'Upgrade, keep-alive'],
      ['Upgrade', 'websocket'],
      ['Keep-Alive', 'x'],
    );
    expect(withoutListed(headers)).toEqual(headers);
  });
});

describe('X-Forwarded-*', () => {
  test('scheme and name are ours to say, whatever the client claims', () => {
    const head = requestHead('GET', '/', [
      ['Host', 'a.example'],
      ['X-Forwarded-Proto', 'https'],
      ['x-forwarded-host', 'evil.example'],
      ['X-Forwarded-Host', 'evil.example'],
    ]);
    const headers = claimForwarded(head);
    expect(valuesOf(headers, 'x-forwarded-proto')).toEqual(['http']);
    expect(valuesOf(headers, 'x-forwarded-host')).toEqual(['a.example']);
    expect(valuesOf(claimForwarded({ ...head, secure: true }), 'x-forwarded-proto')).toEqual(['https']);
  });

  test('earlier addresses stay: ours is added behind them', () => {
    const head = requestHead('GET', '/', [
      ['X-Forwarded-For', '198.51.100.1'],
      ['x-forwarded-for', '198.51.100.2'],
    ]);
    expect(valuesOf(claimForwarded(head), 'x-forwarded-for')).toEqual(['198.51.100.1', '198.51.100.2']);
  });

  test.each([
    'X_Forwarded_For',
    'X-Forwarded_For',
    'x_forwarded-for',
    'X_FORWARDED_PROTO',
    'X_Forwarded_Host',
    'X-Forwarded_Host',
  ])('%s, which servers take for ours, is removed', (name) => {
    const head = requestHead('GET', '/', [[name, '203.0.113.1']]);
    expect(claimForwarded(head)).toEqual(['X-Forwarded-Proto', 'http']);
  });

  test('a request that names no host claims none', () => {
    expect(valuesOf(claimForwarded(requestHead('GET', '/', [])), 'x-forwarded-host')).toEqual([]);
  });

  test('names that only look alike are left alone', () => {
    const fields = flat(['X-Forwarded-Port', '1'], ['X-Forwarded-Fors', '2'], ['Forwarded', 'for=x']);
    const head = requestHead('GET', '/', [], { headers: fields });
    expect(claimForwarded(head).slice(0, fields.length)).toEqual(fields);
  });
});

describe('withHeader', () => {
  const headers = flat(['A', '1'], ['b', '2'], ['a', '3']);
  test('replaces all fields of that name by one at the end', () => {
    expect(withHeader(headers, 'A', 'x')).toEqual(['b', '2', 'A', 'x']);
    expect(withHeader(headers, 'C', 'x')).toEqual([...headers, 'C', 'x']);
    expect(withHeader(headers, 'B', '')).toEqual(['A', '1', 'a', '3', 'B', '']);
  });

  test('removes them', () => {
    expect(withHeader(headers, 'a', undefined)).toEqual(['b', '2']);
    expect(withHeader(headers, 'c', undefined)).toEqual(headers);
  });

  test('does not take a value for a name', () => {
    expect(withHeader(flat(['X', 'A'], ['A', 'X']), 'a', undefined)).toEqual(['X', 'A']);
  });
});

describe('withHost', () => {
  test('says what only the target has said', () => {
    expect(withHost(['A', 'host'], 'a.example')).toEqual(['Host', 'a.example', 'A', 'host']);
  });

  test('adds nothing to what is said, or where nothing was', () => {
    expect(withHost(['hOst', ''], 'a.example')).toEqual(['hOst', '']);
    expect(withHost(['A', 'x'], '')).toEqual(['A', 'x']);
  });
});
