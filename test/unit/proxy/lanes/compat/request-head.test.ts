import { describe, expect, test } from 'vitest';
import { readRequest, wantsWebSocket } from '../../../../../src/proxy/lanes/compat/request-head.ts';
import { headerTable, ownHeaders } from '../../../../../src/proxy/lanes/compat/request-headers.ts';

const incoming = (more: object = {}) => ({
  method: 'GET',
  url: '/a?b',
  httpVersion: '1.1',
  rawHeaders: ['Host', 'w'],
  ...more,
});

describe('a request that Node has parsed', () => {
  test('becomes a head', () => {
    expect(readRequest(incoming(), false, true)).toEqual({
      head: {
        method: 'GET',
        target: '/a?b',
        path: '/a',
        httpVersion: '1.1',
        headers: ['Host', 'w'],
        host: 'w',
        bodyless: true,
        upgrade: false,
        secure: true,
      },
      body: 'none',
    });
  });

  test.each([
    [['Content-Length', '5'], 5, false],
    [['content-length', '007'], 7, false],
    [['Content-Length', '0'], 0, true],
    [['Transfer-Encoding', 'chunked'], 'chunked', false],
    [[], 'none', true],
  ])('with %j has the body %j', (fields, body, bodyless) => {
    const rawHeaders = ['Host', 'w', ...fields];
    expect(readRequest(incoming({ rawHeaders }), false, false)).toMatchObject({ body, head: { bodyless } });
  });

  test.each([
    [{ httpVersion: '2.0' }],
    [{ httpVersion: '0.9' }],
    [{ method: 'CONNECT', url: 'w:443' }],
    [{ method: 'CONNECT', url: '/' }],
    [{ url: 'w' }],
    [{ rawHeaders: [] }],
    [{ rawHeaders: ['Host', 'w', 'Content-Length', '5', 'Transfer-Encoding', 'chunked'] }],
  ])('with %j is refused', (more) => {
    expect(readRequest(incoming(more), false, false)).toHaveProperty('refused');
  });
});

describe('an upgrade', () => {
  const upgrade = (...fields: string[]) => ({ rawHeaders: ['Connection', 'Upgrade', ...fields] });

  test.each([
    [upgrade('Upgrade', 'websocket'), true],
    [upgrade('UPGRADE', 'WebSocket', 'Content-Length', '0'), true],
    [upgrade('Upgrade', 'h2c'), false],
    [upgrade('Upgrade', 'websocket, h2c'), false],
    [upgrade('Upgrade', 'websocket', 'Upgrade', 'h2c'), false],
    [upgrade('Upgrade', 'websocket', 'Content-Length', '5'), false],
    [upgrade('Upgrade', 'websocket', 'Transfer-Encoding', 'chunked'), false],
    [{ ...upgrade('Upgrade', 'websocket'), method: 'POST' }, false],
    [{ ...upgrade('Upgrade', 'websocket'), httpVersion: '1.0' }, false],
  ])('asked for by %j is one to WebSocket: %s', (more, wanted) => {
    expect(wantsWebSocket(incoming(more))).toBe(wanted);
  });
});

describe('what goes to the server', () => {
  test.each([
    ['GET', 'none', false, ['Connection', 'keep-alive']],
    ['GET', 0, false, ['Connection', 'keep-alive', 'Content-Length', '0']],
    ['POST', 'none', false, ['Connection', 'keep-alive', 'Content-Length', '0']],
    ['DELETE', 'chunked', false, ['Connection', 'keep-alive', 'Transfer-Encoding', 'chunked']],
    ['PUT', 12, false, ['Connection', 'keep-alive', 'Content-Length', '12']],
    ['GET', 'none', true, ['Connection', 'Upgrade', 'Upgrade', 'websocket']],
  ] as const)('of the lane’s own, for %s with the body %j (upgrade: %s)', (method, body, upgrade, own) => {
    expect(ownHeaders(method, body, upgrade)).toEqual(own);
  });

  test('of the client’s: fields of one name together, in the case of the first', () => {
    const table = headerTable(['X-A', '1', '__proto__', 'p', 'B', '2', 'x-a', '3', 'constructor', 'c']);
    expect(Object.entries(table)).toEqual([
      ['X-A', ['1', '3']],
      ['__proto__', ['p']],
      ['B', ['2']],
      ['constructor', ['c']],
    ]);
  });
});
