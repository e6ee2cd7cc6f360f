import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBind, parseHost, parseHostPort, parseNetwork } from '../../../src/config/address.ts';
import { parseBalance, parseHashType } from '../../../src/config/balance-line.ts';
import { parseBindLine } from '../../../src/config/bind-line.ts';
import { parseCheck } from '../../../src/config/check-line.ts';
import { parseDuration } from '../../../src/config/duration.ts';
import { parseMaxRemoval, parseOnEmpty, parsePercent } from '../../../src/config/guard-lines.ts';
import { parseHedge } from '../../../src/config/hedge-line.ts';
import { didYouMean, editDistance } from '../../../src/config/nearest.ts';
import { BACKEND_OPTIONS, FRONTEND_OPTIONS, parseOption } from '../../../src/config/options.ts';
import type { Parsed } from '../../../src/config/parsed.ts';
import { parseOutlier, parseRetryBudget, parseRetryOn } from '../../../src/config/retry-lines.ts';
import { parseServerSsl } from '../../../src/config/server-ssl-line.ts';

/** The value, or the message with what surrounds it. */
function outcome<T>(result: Parsed<T>): unknown {
  return result.ok ? result.value : result.message;
}

describe('a bind line', () => {
  const at = (host: string, port: number) => ({ host, port });

  test.each([
    [':443', { ...at('0.0.0.0', 443), ssl: undefined }],
    [
      ':80 accept-proxy proto h2',
      { ...at('0.0.0.0', 80), expectProxy: {}, ssl: undefined, proto: { is: 'h2', offset: 17 } },
    ],
    [
      '[::1]:443 ssl crt a.pem',
      { ...at('::1', 443), ssl: { crt: [{ path: 'a.pem', offset: 18 }], minVersion: 'TLSv1.2' } },
    ],
    [
      '*:443 crt a.pem ssl-min-ver TLSv1.3  crt b.pem ssl',
      {
        ...at('0.0.0.0', 443),
        ssl: {
          crt: [
            { path: 'a.pem', offset: 10 },
            { path: 'b.pem', offset: 41 },
          ],
          minVersion: 'TLSv1.3',
        },
      },
    ],
    [
      ':443 ssl crt a alpn http/1.1,h2',
      {
        ...at('0.0.0.0', 443),
        ssl: { crt: [{ path: 'a', offset: 13 }], minVersion: 'TLSv1.2', alpn: ['http/1.1', 'h2'] },
      },
    ],
    [':80 accept-proxy', { ...at('0.0.0.0', 80), expectProxy: { from: undefined }, ssl: undefined }],
    [
      ':443 accept-proxy ssl crt a proxy-from 10.0.0.0/8,::1',
      {
        ...at('0.0.0.0', 443),
        expectProxy: { from: ['10.0.0.0/8', '::1'] },
        ssl: { crt: [{ path: 'a', offset: 26 }], minVersion: 'TLSv1.2' },
      },
    ],
  ])('%s', (text, expected) => expect(outcome(parseBindLine(text))).toEqual(expected));

  test.each([
    ['', 0, 'expected host:port'],
    [':99999 ssl crt a', 1, 'expected a port'],
    [':443 ssl', 5, 'ssl needs a certificate'],
    [':443 crt a.pem', 5, 'need ssl before them'],
    [':443 alpn h2', 5, 'need ssl before them'],
    [':443 ssl crt a alpn', 15, 'alpn lacks its value'],
    [':443 ssl crt a alpn h2,spdy/3', 23, 'expected h2 or http/1.1, found spdy/3'],
    [':443 ssl crt a alpn h2,', 23, 'found nothing'],
    [':443 ssl crt a alpn h2,h2', 23, 'h2 is given twice'],
    [':443 ssl crt', 9, 'crt lacks its value'],
    [':443 ssl crt a ssl-min-ver TLSv1.1', 27, 'expected TLSv1.2 or TLSv1.3'],
    [':443 sll crt a', 5, 'unknown bind parameter sll'],
    [':443 ssl crt a accept-prxy', 15, 'unknown bind parameter accept-prxy'],
    [':80 proto', 4, 'proto lacks its value'],
    [':80 proto h3', 10, 'expected h2, found h3'],
    [':443 ssl crt a proto h2', 15, '"alpn h2" instead of proto'],
    [':443 proxy-from 10.0.0.0/8', 5, 'proxy-from has no use without accept-proxy'],
    [':443 accept-proxy proxy-from', 18, 'proxy-from lacks its value'],
    [':443 accept-proxy proxy-from 10.0.0.0/8,10.0.0.0/33', 40, 'expected'],
  ])('%j is none', (text, offset, message) =>
    expect(parseBindLine(text)).toMatchObject({
      ok: false,
      offset,
      message: expect.stringContaining(message),
    }),
  );
});

describe('TLS to servers', () => {
  test.each([
    ['verify none', { verify: 'none', caFile: undefined, sni: undefined }],
    [
      'sni API.internal  ca-file a.pem',
      { verify: 'required', caFile: { path: 'a.pem', offset: 26 }, sni: 'api.internal' },
    ],
    ['verify required sni 10.0.0.1', { verify: 'required', caFile: undefined, sni: '10.0.0.1' }],
  ])('%s', (text, expected) => expect(outcome(parseServerSsl(text))).toEqual(expected));

  test.each([
    ['', undefined, 'expected true, or parameters'],
    ['crt a.pem', 0, 'unknown ssl parameter crt'],
    ['verify maybe', 7, 'expected required or none'],
    ['verify', 0, 'verify lacks its value'],
    ['sni a.b sni c', 8, 'sni is given twice'],
    ['sni a/b', 4, 'expected a host name'],
    ['verify none ca-file a', 20, 'no use with verify none'],
  ])('%j is none', (text, offset, message) =>
    expect(parseServerSsl(text)).toMatchObject({
      ok: false,
      offset,
      message: expect.stringContaining(message),
    }),
  );
});

describe('durations', () => {
  test.each([
    ['0', 0],
    [250, 250],
    ['250', 250],
    ['1us', 1],
    ['1500us', 2],
    ['500ms', 500],
    ['5s', 5_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    [' 5s ', 5_000],
    ['2147483647', 2_147_483_647],
  ])('%j is %d ms', (written, ms) => expect(outcome(parseDuration(written))).toBe(ms));

  test.each(['', 's', '-1s', '1.5s', '5sec', '5 s', '5S', '1m30s', '1e3', 'toString', -1, 1.5, Number.NaN])(
    '%j is none',
    (written) => expect(outcome(parseDuration(written))).toContain('expected a duration'),
  );

  test.each(['25d', '2147483648', `${'9'.repeat(400)}d`])('%s is too long', (written) =>
    expect(outcome(parseDuration(written))).toContain('too long'),
  );

  test('every number of every unit is read back', () => {
    const unit = fc.constantFrom({ suffix: 'ms', ms: 1 }, { suffix: 's', ms: 1e3 }, { suffix: 'm', ms: 6e4 });
    fc.assert(
      fc.property(fc.nat(35_000), unit, (n, { suffix, ms }) => {
        expect(outcome(parseDuration(`${n}${suffix}`))).toBe(n * ms);
      }),
    );
  });
});

describe('addresses', () => {
  test.each([
    ['10.0.0.1', { kind: 'ipv4', host: '10.0.0.1', port: undefined }],
    ['10.0.0.1:80', { kind: 'ipv4', host: '10.0.0.1', port: 80 }],
    ['[::1]', { kind: 'ipv6', host: '::1', port: undefined }],
    ['[2001:DB8:0::1]:8080', { kind: 'ipv6', host: '2001:db8::1', port: 8080 }],
    ['Web.Service.Consul.', { kind: 'name', host: 'web.service.consul', port: undefined }],
    ['_api._tcp.service.consul', { kind: 'name', host: '_api._tcp.service.consul', port: undefined }],
    ['node-1:65535', { kind: 'name', host: 'node-1', port: 65_535 }],
  ])('%s', (text, expected) => expect(outcome(parseHostPort(text))).toEqual(expected));

  test.each([
    ['::1', 'goes in brackets: [::1]'],
    ['2001:db8::1', 'goes in brackets'],
    ['', 'expected host:port'],
    [':80', 'expected host:port'],
    ['[::1', 'expected host:port'],
    ['[::g]:80', 'not an IPv6 address'],
    ['[10.0.0.1]:80', 'not an IPv6 address'],
    ['[::1]80', 'expected host:port'],
    ['256.0.0.1:80', 'not an IPv4 address'],
    ['10.0.0:80', 'not an IPv4 address'],
    ['01.2.3.4', 'not an IPv4 address'],
    ['-a.example', 'expected an IP address or a host name'],
    ['a..b', 'expected an IP address or a host name'],
    [`${'a'.repeat(64)}.example`, 'expected an IP address or a host name'],
    ['web:', 'expected a port'],
    ['web:0', 'expected a port from 1'],
    ['web:65536', 'expected a port'],
    ['web:8a', 'expected a port'],
    ['web:80:81', 'expected a port'],
    ['http://web:80', 'expected a port'],
    ['we b', 'expected an IP address or a host name'],
  ])('%j is refused', (text, message) => expect(outcome(parseHostPort(text))).toContain(message));

  test.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    [':8080', { host: '0.0.0.0', port: 8080 }],
    ['*:8080', { host: '0.0.0.0', port: 8080 }],
    ['[::]:8080', { host: '::', port: 8080 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('bind %s', (text, expected) => expect(outcome(parseBind(text))).toEqual(expected));

  test.each(['8080', '127.0.0.1', '*', '::', ':', '127.0.0.1:http', '127.0.0.1:8080-8090'])(
    'bind %s is refused',
    (text) => expect(parseBind(text).ok).toBe(false),
  );

  test('a host may be a bare IPv6 address', () => {
    expect(outcome(parseHost('2001:db8::1'))).toEqual({ kind: 'ipv6', host: '2001:db8::1' });
  });

  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['127.0.0.1', '127.0.0.1'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::1', '::1'],
    ['0.0.0.0/0', '0.0.0.0/0'],
  ])('network %s', (text, expected) => expect(outcome(parseNetwork(text))).toBe(expected));

  test.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10/8',
    '10.0.0.0/8/8',
    'web',
    '',
    '10.0.0.0/255.0.0.0',
  ])('network %j is refused', (text) => expect(parseNetwork(text).ok).toBe(false));
});

describe('check parameters', () => {
  test.each([
    ['inter 500ms', { inter: 500, fall: 3, rise: 2, port: undefined }],
    ['port 81 rise 1 fall 2 inter 1s', { inter: 1_000, fall: 2, rise: 1, port: 81 }],
    [
      'fastinter 1s downinter 5s addr ::1 check-ssl check-sni Web.example',
      {
        ...{ inter: 2_000, fastinter: 1_000, downinter: 5_000, fall: 3, rise: 2, port: undefined },
        ...{ addr: '::1', ssl: true, sni: 'Web.example' },
      },
    ],
  ])('%s', (text, expected) => expect(outcome(parseCheck(text))).toEqual(expected));

  test.each([
    ['', 'expected true', undefined],
    ['inter', 'inter lacks its value', 0],
    ['fall 2 fall 3', 'fall is given twice', 7],
    ['inter 0', 'at least 1ms', 6],
    ['inter soon', 'expected a duration', 6],
    ['rise  0', 'expected rise from 1', 6],
    ['port 70000', 'expected port', 5],
    ['slowinter 1s', 'unknown check parameter', 0],
    ['addr web', 'expected addr and an IP address', 5],
    ['no-check-ssl check-sni web', 'goes with neither', 0],
    ['check-sni 10.0.0.1', 'expected a host name', 10],
    ['inter "1s', 'never closed', 6],
  ])('%j is refused', (text, message, offset) =>
    expect(parseCheck(text)).toMatchObject({ ok: false, message: expect.stringContaining(message), offset }),
  );
});

describe('balance', () => {
  test.each([
    ['roundrobin', { kind: 'roundrobin' }],
    ['leastconn', { kind: 'leastconn' }],
    ['random', { kind: 'random', draws: 2 }],
    ['random(3)', { kind: 'random', draws: 3 }],
    ['static-rr', { kind: 'static-rr' }],
    ['first', { kind: 'first' }],
    ['peak-ewma', { kind: 'peak-ewma' }],
    ['source', { kind: 'hash', by: { kind: 'source' } }],
    ['uri', { kind: 'hash', by: { kind: 'uri', whole: false, len: 0, depth: 0 } }],
    ['uri depth 2 whole  len 30', { kind: 'hash', by: { kind: 'uri', whole: true, len: 30, depth: 2 } }],
    ['url_param user', { kind: 'hash', by: { kind: 'url_param', name: 'user' } }],
    ['hdr(X-User)', { kind: 'hash', by: { kind: 'hdr', name: 'x-user' } }],
  ])('%s', (text, expected) => expect(outcome(parseBalance(text))).toEqual(expected));

  test.each([
    'roundrobin(2)',
    'roundrobin 2',
    'random(0)',
    'random()',
    'random(101)',
    'uri len',
    'uri len 0',
    'uri long',
    'url_param',
    'url_param a b',
    'hdr',
    'hdr()',
    'hdr(a b)',
    'rdp-cookie',
    '',
  ])('%j is refused', (text) => expect(parseBalance(text).ok).toBe(false));
});

describe('hash-type', () => {
  test.each([
    ['map-based', { type: 'map-based', function: 'sdbm', avalanche: false }],
    ['consistent', { type: 'consistent', function: 'sdbm', avalanche: true }],
    ['consistent sdbm', { type: 'consistent', function: 'sdbm', avalanche: false }],
    ['map-based  crc32 avalanche', { type: 'map-based', function: 'crc32', avalanche: true }],
    ['map-based avalanche', { type: 'map-based', function: 'sdbm', avalanche: true }],
  ])('%s', (text, expected) => expect(outcome(parseHashType(text))).toEqual(expected));

  test.each(['', 'ketama', 'consistent wt6', 'consistent crc32 more', 'map-based avalanche avalanche'])(
    '%j is refused',
    (text) => expect(parseHashType(text).ok).toBe(false),
  );
});

describe('options', () => {
  const all = [...FRONTEND_OPTIONS, ...BACKEND_OPTIONS];
  test.each([
    ['forwardfor', { forwardfor: true }],
    ['no redispatch', { redispatch: false }],
    ['httpchk', { checkBy: { kind: 'http', method: 'OPTIONS', uri: '/' } }],
    ['httpchk /up', { checkBy: { kind: 'http', method: 'OPTIONS', uri: '/up' } }],
    ['httpchk  GET /health?full', { checkBy: { kind: 'http', method: 'GET', uri: '/health?full' } }],
    ['no httpchk', { checkBy: 'off' }],
    ['redis-check', { checkBy: { kind: 'redis' } }],
    ['ssl-hello-chk', { checkBy: { kind: 'ssl-hello' } }],
    ['tcp-check', { checkBy: { kind: 'tcp' } }],
    ['mysql-check', { checkBy: { kind: 'mysql', user: undefined } }],
    ['mysql-check user lb post-41', { checkBy: { kind: 'mysql', user: 'lb' } }],
    ['allbackups', { allbackups: true }],
    ['http-lane compat', { httpLane: 'compat' }],
    ['http-lane direct', { httpLane: 'direct' }],
    ['no http-lane', { httpLane: 'direct' }],
  ])('%s', (text, expected) => expect(outcome(parseOption(text, all))).toEqual(expected));

  test.each([
    ['fowardfor', 'unknown option'],
    ['no', 'unknown option'],
    ['redispatch 3', 'takes nothing'],
    ['mysql-check user', 'expected "mysql-check"'],
    ['mysql-check user lb pre-41', 'expected "mysql-check"'],
    ['redis-check now', 'takes nothing'],
    ['httpchk get /', 'expected a method'],
    ['httpchk GET health', 'expected a URI'],
    ['httpchk GET / HTTP/1.1', 'HTTP/1.1 after it'],
    ['no httpchk GET /', 'takes nothing'],
    ['http-lane', 'expected "http-lane direct"'],
    ['http-lane compt', 'expected "http-lane direct"'],
    ['http-lane compat now', 'expected "http-lane direct"'],
    ['no http-lane compat', 'takes nothing'],
  ])('%j is refused', (text, message) => expect(outcome(parseOption(text, all))).toContain(message));

  test('each section has its own', () => expect(parseOption('redispatch', FRONTEND_OPTIONS).ok).toBe(false));
});

describe('suggestions', () => {
  test.each([
    ['intervl', ['interval', 'drain'], 'did you mean interval?'],
    ['Backends', ['backends', 'frontends'], 'did you mean backends?'],
    ['teh', ['the'], 'did you mean the?'],
    ['zzz', ['interval', 'drain'], undefined],
    ['x'.repeat(65), ['x'.repeat(64)], undefined],
  ])('%s', (written, known, expected) => expect(didYouMean(written, known)).toBe(expected));

  test('the distance is symmetric, zero only for equal words, and never above the longer length', () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe('what guards a name', () => {
  test.each([
    ['drain', 'drain'],
    [' keep ', 'keep'],
    ['keep-for 5m', { keepFor: 300_000 }],
    ['keep-for', 'expected drain, keep, or keep-for and a duration, such as "keep-for 5m"'],
    ['keep 5m', 'expected drain, keep, or keep-for and a duration, such as "keep-for 5m"'],
    ['keep-for 0', 'must be at least 1ms: 0 would be no time at all'],
  ])('on-empty %j', (text, expected) => expect(outcome(parseOnEmpty(text))).toEqual(expected));

  test.each([
    ['50%', { amount: { percent: 50 }, per: 10_000 }],
    [3, { amount: { count: 3 }, per: 10_000 }],
    ['3', { amount: { count: 3 }, per: 10_000 }],
    ['100%  per 30s', { amount: { percent: 100 }, per: 30_000 }],
    ['101%', 'must be at most 100%'],
    ['0%', 'must be at least 1: else no server could ever go'],
    ['50% per 0', 'must be at least 1ms: 0 would be no time at all'],
    ['half', expect.stringContaining('expected a share or a number of servers')],
    ['50% in 3s', expect.stringContaining('expected a share or a number of servers')],
    [1.5, expect.stringContaining('expected a share or a number of servers')],
  ])('max-removal %j', (text, expected) => expect(outcome(parseMaxRemoval(text))).toEqual(expected));

  test.each([
    ['50%', 50],
    [0, 0],
    ['100', 100],
    ['101%', expect.stringContaining('expected a share from 0% to 100%')],
    [-1, expect.stringContaining('expected a share from 0% to 100%')],
  ])('panic-threshold %j', (text, expected) => expect(outcome(parsePercent(text))).toEqual(expected));
});

describe('what becomes of failures', () => {
  const none = {
    connFailure: false,
    emptyResponse: false,
    junkResponse: false,
    responseTimeout: false,
    statuses: [],
  };

  test.each([
    ['none', none],
    ['conn-failure  empty-response', { ...none, connFailure: true, emptyResponse: true }],
    ['503 429 503', { ...none, statuses: [503, 429] }],
    [
      'all-retryable-errors 404',
      {
        connFailure: true,
        emptyResponse: true,
        junkResponse: true,
        responseTimeout: true,
        statuses: [500, 502, 503, 504, 404],
      },
    ],
    ['', 'expected one or more of'],
    ['none 503', 'none stands alone'],
    ['0rtt-rejected', 'early data is never sent'],
    ['200', 'unknown condition 200'],
    ['conn-failures', 'unknown condition conn-failures'],
  ])('retry-on %j', (text, expected) => told(parseRetryOn(text), expected));

  test.each([
    ['off', 'off'],
    ['20% 10/s', { percent: 20, perSecond: 10 }],
    ['0% 5/s', { percent: 0, perSecond: 5 }],
    ['101% 5/s', 'at most 100%'],
    ['20%', 'expected off'],
    ['20 10', 'expected off'],
  ])('retry-budget %j', (text, expected) => told(parseRetryBudget(text), expected));

  test.each([
    ['off', 'off'],
    ['after p95 min 20ms', { quantile: 0.95, least: 20 }],
    ['min 1s after p99.9', { quantile: 0.999, least: 1_000 }],
    ['after p50', { quantile: 0.5, least: 10 }],
    ['', 'expected off, or "after p95"'],
    ['min 20ms', 'expected off, or "after p95"'],
    ['after 95', 'expected a percentile from p50'],
    ['after p49', 'expected a percentile from p50'],
    ['after p100', 'expected a percentile from p50'],
    ['after p95 min 20sec', 'a whole number and a unit'],
    ['after p95 least 20ms', 'unknown hedge parameter least'],
  ])('hedge %j', (text, expected) => told(parseHedge(text), expected));

  test.each([
    ['off', 'off'],
    ['errors 5 time 30s max 10%', { errors: 5, time: 30_000, max: 10 }],
    ['max 50% errors 1', { errors: 1, time: 30_000, max: 50 }],
    ['time 1m', { errors: 5, time: 60_000, max: 10 }],
    ['', 'expected off, or parameters'],
    ['errors', 'errors lacks its value'],
    ['errors 0', 'expected errors as a whole number'],
    ['max 10', 'expected max as a share'],
    ['time 0', 'time must be at least 1ms'],
    ['errors 1 errors 2', 'errors is given twice'],
    ['error 5', 'unknown parameter error'],
  ])('outlier %j', (text, expected) => told(parseOutlier(text), expected));

  function told(
    result: ReturnType<
      typeof parseHedge | typeof parseOutlier | typeof parseRetryOn | typeof parseRetryBudget
    >,
    expected: unknown,
  ) {
    if (!result.ok) expect(result.message).toContain(expected);
    else expect(result.value).toEqual(expected);
  }
});
