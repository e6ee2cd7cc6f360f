import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type H2Fields, readH2Request } from '../../../../../src/proxy/lanes/h2/request-head.ts';

const GET = [':method', 'GET', ':scheme', 'https', ':authority', 'w.example', ':path', '/a?b'];

const read = (fields: H2Fields, ended: boolean) => readH2Request(fields, ended, true);

describe('the head of a request over HTTP/2', () => {
  test('is that of one over HTTP/1.1', () => {
    const fields = [...GET, 'cookie', 'a=1', 'x-one', 'y', 'cookie', 'b=2', 'te', 'trailers'];
    expect(read(fields, true)).toEqual({
      head: {
        method: 'GET',
        target: '/a?b',
        path: '/a',
        httpVersion: '2.0',
        headers: ['Host', 'w.example', 'x-one', 'y', 'te', 'trailers', 'cookie', 'a=1; b=2'],
        host: 'w.example',
        bodyless: true,
        upgrade: false,
        secure: true,
      },
      framing: 'none',
      expects: false,
      octets: 116,
    });
  });

  test.each([
    [[], false, 'chunked', false],
    [[], true, 'none', true],
    [['content-length', '0'], false, 0, true],
    [['content-length', '12'], false, 12, false],
  ])('with %j, ended: %j, says of the body %j', (more, ended, body, bodyless) => {
    expect(read([...GET, ...more], ended)).toMatchObject({ framing: body, head: { bodyless } });
  });

  test('takes Host for the authority, or beside it where it is the same', () => {
    const without = [...GET.slice(0, 4), ':path', '/'];
    expect(read([...without, 'host', 'o'], true)).toMatchObject({ head: { host: 'o' } });
    const both = read([...GET, 'host', 'W.example'], true);
    expect(both).toMatchObject({ head: { headers: ['host', 'W.example'] } });
  });

  test('takes the port that the scheme means for none', () => {
    const both = read([...GET, 'host', 'W.example:443'], true);
    expect(both).toMatchObject({ head: { headers: ['host', 'W.example:443'], host: 'w.example' } });
    expect(read([...GET, 'host', 'w.example:80'], true)).toMatchObject({ status: 400 });
  });

  test('OPTIONS may be about the whole server', () => {
    const fields = [':method', 'OPTIONS', ':scheme', 'https', ':authority', 'w', ':path', '*'];
    expect(read(fields, true)).toMatchObject({ head: { target: '*', path: '*' } });
  });

  test('never has what could end a line, another message, or a second Host', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    const name = fc.oneof(
      text,
      fc.constantFrom(':path', ':authority', 'host', 'content-length', 'upgrade', 'te'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text), { maxLength: 6 }), fc.boolean(), (more, ended) => {
        const request = read([...GET, ...more.flat()], ended);
        if ('refused' in request) return;
        const { headers, target } = request.head;
        expect(`${target}${headers.join('')}`).not.toMatch(/[\r\n\0]/);
        const names = headers.filter((_, i) => i % 2 === 0).map((one) => one.toLowerCase());
        expect(names.filter((one) => one === 'host')).toHaveLength(1);
        for (const one of ['transfer-encoding', 'connection', 'upgrade']) expect(names).not.toContain(one);
      }),
    );
  });
});
