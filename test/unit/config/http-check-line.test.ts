import { describe, expect, test } from 'vitest';
import { parseAgentCheck, parseTrack } from '../../../src/config/check-line.ts';
import { parseHttpCheck, parseTcpCheck } from '../../../src/config/http-check-line.ts';

describe('http-check', () => {
  test.each([
    ['disable-on-404', { kind: 'disable-on-404' }],
    [
      'send meth POST uri /h ver HTTP/1.0 hdr Host a.example hdr X-Y "z 1" body \'{"a":1}\'',
      {
        ...{ kind: 'send', method: 'POST', uri: '/h', version: '1.0', body: '{"a":1}' },
        headers: [
          ['Host', 'a.example'],
          ['X-Y', 'z 1'],
        ],
      },
    ],
    [
      'expect status 200-299,304',
      {
        kind: 'status',
        negated: false,
        ranges: [
          [200, 299],
          [304, 304],
        ],
      },
    ],
    ['expect ! rstatus ^5', { kind: 'rstatus', negated: true, pattern: '^5' }],
    ['expect string "all good"', { kind: 'string', negated: false, text: 'all good' }],
    ['expect ! rstring fail(ed)?', { kind: 'rstring', negated: true, pattern: 'fail(ed)?' }],
  ])('%s', (text, rule) => {
    const value = text.startsWith('expect') ? { kind: 'expect', expect: rule } : rule;
    expect(parseHttpCheck(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['', 'expected one of send', undefined],
    ['sned uri /', 'unknown sned', 0],
    ['send', 'says nothing', 0],
    ['send uri', 'lacks its value', 5],
    ['send uri health', 'expected a URI', 9],
    ['send meth get', 'expected a method', 10],
    ['send ver HTTP/2', 'expected HTTP/1.0', 9],
    ['send uri / uri /b', 'given twice', 11],
    ['send hdr Host', 'expected hdr NAME VALUE', 5],
    ['send hdr "a b" c', 'expected the name', 9],
    ['send hdr A "b\\r\\nX: y"', 'one line', 11],
    ['expect', 'expected one of status', 0],
    ['expect status 20', 'statuses from 100', 14],
    ['expect status 300-200', 'statuses from 100', 14],
    ['expect rstring (', 'Invalid regular expression', 15],
    ['expect string a b', 'nothing more', 16],
    ['disable-on-404 now', 'nothing more', 15],
  ])('%j is refused', (text, message, offset) => {
    expect(parseHttpCheck(text)).toMatchObject({
      ok: false,
      message: expect.stringContaining(message),
      offset,
    });
  });
});

describe('tcp-check', () => {
  test.each([
    ['connect', 'connect'],
    ['send "PING\\r\\n\\x00"', { kind: 'send', bytes: 'PING\r\n\0' }],
    ['expect string +PONG', { kind: 'expect', negated: false, by: 'string', bytes: '+PONG' }],
    ['expect ! rstring ^-', { kind: 'expect', negated: true, by: 'rstring', pattern: '^-' }],
    ['send €', { kind: 'send', bytes: '\xe2\x82\xac' }],
  ])('%s', (text, value) => expect(parseTcpCheck(text)).toEqual({ ok: true, value }));

  test.each(['', 'send', 'send a b', 'expect', 'expect status 200', 'expect string', 'connect port 1'])(
    '%j is refused',
    (text) => expect(parseTcpCheck(text).ok).toBe(false),
  );
});

describe('agent-check and track', () => {
  test('the port is needed, the rest has defaults', () => {
    expect(parseAgentCheck('agent-port 99')).toEqual({
      ok: true,
      value: { port: 99, inter: 2_000, addr: undefined, send: '' },
    });
    expect(parseAgentCheck('agent-inter 1s agent-port 99 agent-addr ::1 agent-send "hi\\n"')).toEqual({
      ok: true,
      value: { port: 99, inter: 1_000, addr: '::1', send: 'hi\n' },
    });
    expect(parseAgentCheck('agent-inter 1s')).toMatchObject({ ok: false });
    expect(parseAgentCheck('agent-port 0')).toMatchObject({ ok: false, offset: 11 });
  });

  test.each([
    ['web', { backend: 'web', server: undefined }],
    ['web/10.0.0.1:80', { backend: 'web', server: '10.0.0.1:80' }],
    ['web/[::1]:80', { backend: 'web', server: '[::1]:80' }],
  ])('track %s', (text, value) => expect(parseTrack(text)).toEqual({ ok: true, value }));

  test.each(['', 'a b', '/x', 'web/'])('track %j is refused', (text) =>
    expect(parseTrack(text).ok).toBe(false),
  );
});
