import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { haproxyLine } from '../../../src/observe/haproxy-log-format.ts';
import { httpEntry, tcpEntry } from './access-entries.ts';

const NOT_REACHED = { request: -1, queue: -1, connect: -1, response: -1, active: 8490 };

describe('httplog', () => {
  test('has the fields of the manual in their order', () => {
    expect(haproxyLine(httpEntry())).toBe(
      '10.0.1.2:33317 [07/Feb/2026:14:05:23.123] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- ' +
        '5/4/3/2/0 0/0 "GET /index.html HTTP/1.1"',
    );
  });

  test('a client that gave up before its request was read', () => {
    const entry = httpEntry({
      backend: 'http-in',
      server: '<NOSRV>',
      serverId: undefined,
      times: NOT_REACHED,
      status: -1,
      bytesRead: 0,
      termination: 'CR',
      request: undefined,
      connections: { process: 2, frontend: 2, backend: 2, server: 0 },
    });
    expect(haproxyLine(entry)).toBe(
      '10.0.1.2:33317 [07/Feb/2026:14:05:23.123] http-in http-in/<NOSRV> -1/-1/-1/-1/8490 -1 0 - - CR-- ' +
        '2/2/2/0/0 0/0 "<BADREQ>"',
    );
  });

  test('a redispatch has a plus sign before its retries, a queue says how many were before', () => {
    const entry = httpEntry({ redispatched: true, retries: 2, queues: { server: 0, backend: 9 } });
    expect(haproxyLine(entry)).toContain(' 5/4/3/2/+2 0/9 "');
  });

  test.each([
    ['a quote', '/a"b', '/a#22b'],
    ['the escape sign', '/a#b', '/a#23b'],
    ['a line feed', '/a\nb', '/a#0Ab'],
    ['a carriage return', '/a\rb', '/a#0Db'],
    ['an escape sequence', '/\x1b[31m', '/#1B[31m'],
    ['a zero octet', '/\0', '/#00'],
    ['delete', '/\x7f', '/#7F'],
    ['an octet above ASCII', '/caf\xe9', '/caf#E9'],
    ['the last octet', '/\xff', '/#FF'],
    ['a character that is no octet', '/\u20ac', '/#E2#82#AC'],
    ['a character outside the basic plane', '/\u{1f600}', '/#F0#9F#98#80'],
    ['half a character', '/\ud83d', '/#EF#BF#BD'],
    ['what need not be escaped', "/{|}~'\\ <>&%20", "/{|}~'\\ <>&%20"],
  ])('in the request line, %s', (_what, target, logged) => {
    const entry = httpEntry({ request: { method: 'GET', target, httpVersion: '1.1' } });
    expect(haproxyLine(entry)).toMatch(/ "GET .* HTTP\/1\.1"$/);
    expect(haproxyLine(entry).split('0/0 ')[1]).toBe(`"GET ${logged} HTTP/1.1"`);
  });

  test('a hostile method is escaped too', () => {
    const request = { method: 'GET"\n', target: '/', httpVersion: '1.0' };
    expect(haproxyLine(httpEntry({ request }))).toMatch(/ "GET#22#0A \/ HTTP\/1\.0"$/);
  });
});

describe('tcplog', () => {
  test('has the fields of the manual in their order', () => {
    expect(haproxyLine(tcpEntry({ frontend: 'fnt', backend: 'bck', bytesRead: 212 }))).toBe(
      '10.0.1.2:33317 [07/Feb/2026:14:05:23.123] fnt bck/srv1 0/7/5007 212 -- 5/4/3/2/0 0/0',
    );
  });

  test('a server that could not be reached', () => {
    const times = { queue: 0, connect: -1, total: 3007 };
    const entry = tcpEntry({ times, termination: 'SC', retries: 3, redispatched: true, bytesRead: 0 });
    expect(haproxyLine(entry)).toMatch(/ static\/srv1 0\/-1\/3007 0 SC 5\/4\/3\/2\/\+3 0\/0$/);
  });
});

describe('in both', () => {
  test('an IPv6 client stands without brackets', () => {
    const client = { address: '2001:db8::1', port: 5, localAddress: '::1', localPort: 80 };
    expect(haproxyLine(tcpEntry({ client }))).toMatch(/^2001:db8::1:5 \[/);
  });

  test('a day and a time of one digit have two, a millisecond has three', () => {
    const at = new Date(2027, 11, 1, 0, 3, 4, 5).getTime();
    expect(haproxyLine(httpEntry({ at }))).toContain(' [01/Dec/2027:00:03:04.005] ');
  });

  test('each line has its own time, in whatever order they come', () => {
    const first = new Date(2027, 5, 6, 7, 8, 9).getTime();
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 29_999 })), (tenths) => {
        for (const tenth of tenths) {
          const ms = Math.floor(tenth / 10);
          const time = `07:08:${String(9 + Math.floor(ms / 1_000)).padStart(2, '0')}`;
          const text = `[06/Jun/2027:${time}.${String(ms % 1_000).padStart(3, '0')}]`;
          expect(haproxyLine(tcpEntry({ at: first + tenth / 10 }))).toContain(text);
        }
      }),
    );
  });

  test('a name from a registry can neither add a field nor a line', () => {
    const entry = tcpEntry({ server: 'web 1/\n"é' });
    expect(haproxyLine(entry)).toContain(' static/web#201/#0A#22#C3#A9 0/7/5007 ');
  });

  test('whatever a client sends, a line is printable ASCII with two quotes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (target, server) => {
        const request = { method: 'GET', target, httpVersion: '1.1' };
        const line = haproxyLine(httpEntry({ request, server }));
        expect(line).toMatch(/^[ -~]+$/);
        expect(line.split('"')).toHaveLength(3);
        expect(line.split('"')[0]?.trimEnd().split(' ')).toHaveLength(12);
      }),
    );
  });
});
