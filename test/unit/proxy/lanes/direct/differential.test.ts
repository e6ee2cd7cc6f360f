import { createServer, type IncomingMessage } from 'node:http';
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeadParser } from '../../../../../src/proxy/lanes/direct/head-parser.ts';
import { readIncoming } from '../../../../../src/proxy/lanes/direct/incoming-request.ts';
import { MAX_HEAD_BYTES } from '../../../../../src/proxy/request/strict.ts';

// Two readers that understand the same bytes differently are what smuggling needs. Node's own parser is the other
// reader here: whatever it refuses must be refused by ours, and what both accept they must understand alike.

interface Understood {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly string[];
}

/** The first request in `bytes` as our lane understands it; undefined: it is refused, or not whole. */
function ours(bytes: Buffer): (Understood & { readonly body: unknown }) | undefined {
  const parser = new HeadParser('request');
  if (parser.read(bytes, 0) !== 'done') return undefined;
  const { method, target, httpVersion: version, headers } = parser;
  const incoming = readIncoming(parser, false);
  return 'refused' in incoming ? undefined : { method, target, version, headers, body: incoming.framing };
}

/** The same as Node's server understands it. */
function theirs(bytes: Buffer): Promise<Understood | undefined> {
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES, requireHostHeader: false });
  server.maxHeadersCount = 0;
  const [inside, outside] = duplexPair();
  return new Promise<Understood | undefined>((resolve) => {
    const understood = ({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage) =>
      resolve({ method, target: url, version: httpVersion, headers: rawHeaders });
    server.on('request', understood);
    server.on('checkContinue', understood);
    server.on('checkExpectation', understood);
    server.on('upgrade', understood);
    server.on('connect', understood);
    server.on('clientError', () => resolve(undefined));
    inside.on('close', () => resolve(undefined));
    outside.on('error', () => {});
    server.emit('connection', inside);
    outside.end(bytes);
    outside.resume();
  }).finally(() => {
    inside.destroy();
    outside.destroy();
  });
}

const LINES = [
  'GET / HTTP/1.1',
  'POST /a?b=1&&c HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'GET http://a/b HTTP/1.1',
  'DELETE //x HTTP/1.0',
  'HEAD /%zz HTTP/1.1',
];
const FIELDS = [
  'Host: a',
  'Host: a:80',
  'Content-Length: 3',
  'Content-Length: 0',
  'Content-Length: +3',
  'content-length:3 ',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'transfer-encoding : chunked',
  'Connection: close, x-a',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'X-A: \u00e9\u00ff',
  'X-Empty:',
  'X-Tab:\ta\tb\t',
  'X-A: 1',
  ' folded',
  '\tfolded',
  ': nameless',
  'no colon',
];
const BODIES = ['', 'abc', '3\r\nabc\r\n0\r\n\r\n', '0\r\n\r\n', 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'];
const ODD = [
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  ':',
  '\0',
  '\x01',
  '\x7f',
  '\x80',
  ',',
  ';',
  '"',
  'a',
  '0',
  '\x0b',
  '\x0c',
];

const wellMeant = fc
  .record({
    blank: fc.constantFrom('', '\r\n', '\r\n\r\n'),
    line: fc.constantFrom(...LINES),
    fields: fc.array(fc.constantFrom(...FIELDS), { maxLength: 5 }),
    host: fc.boolean(),
    end: fc.constantFrom(...new Array<string>(12).fill('\r\n'), '\n', '\r'),
    body: fc.constantFrom(...BODIES),
  })
  .map(({ blank, line, fields, host, end, body }) => {
    const all = [line, ...(host ? ['Host: a'] : []), ...fields];
    return `${blank}${all.join(end)}${end}${end}${body}`;
  });

/** A request with some octets changed, put in or left out. */
const spoilt = fc
  .tuple(
    wellMeant,
    fc.array(fc.tuple(fc.nat(), fc.constantFrom('put', 'drop', 'change'), fc.constantFrom(...ODD)), {
      maxLength: 3,
    }),
  )
  .map(([text, changes]) => {
    let bytes = text;
    for (const [at, how, odd] of changes) {
      const i = at % (bytes.length + 1);
      bytes = bytes.slice(0, i) + (how === 'drop' ? '' : odd) + bytes.slice(how === 'put' ? i : i + 1);
    }
    return Buffer.from(bytes, 'latin1');
  });

describe('the request parser, beside that of Node,', () => {
  test('accepts nothing that Node refuses, and understands what both accept alike', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(spoilt, async (bytes) => {
        const own = ours(bytes);
        if (!own) return;
        accepted++;
        const { body: _, ...understood } = own;
        expect(await theirs(bytes)).toEqual(understood);
      }),
      { numRuns: 40_000, seed: 20_260_101 },
    );
    // Or the property would say nothing.
    expect(accepted).toBeGreaterThan(1_500);
  });

  test('says the same however the bytes are cut', () => {
    fc.assert(
      fc.property(spoilt, fc.array(fc.nat(), { maxLength: 6 }), (bytes, cuts) => {
        const whole = new HeadParser('request');
        const said = whole.read(bytes, 0);
        const pieces = new HeadParser('request');
        const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
        let progress: ReturnType<HeadParser['read']> = 'more';
        let from = 0;
        let end = 0;
        for (const to of [...places, bytes.length]) {
          if (progress !== 'more' || to === from) continue;
          progress = pieces.read(bytes.subarray(from, to), 0);
          end = from + pieces.end;
          from = to;
        }
        expect(progress).toBe(said);
        if (said !== 'done') return;
        expect(end).toBe(whole.end);
        expect(pieces.headers).toEqual(whole.headers);
        expect([pieces.method, pieces.target, pieces.httpVersion]).toEqual([
          whole.method,
          whole.target,
          whole.httpVersion,
        ]);
      }),
      { numRuns: 5_000, seed: 20_260_102 },
    );
  });
});
