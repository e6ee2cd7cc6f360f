import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type HeadKind, HeadParser } from '../../../../../src/proxy/lanes/direct/head-parser.ts';
import { MAX_HEAD_BYTES } from '../../../../../src/proxy/request/strict.ts';

const H = 'Host: w\r\n';

/** What a parser makes of a text that comes in pieces: one head, and what is left behind it. */
function parse(kind: HeadKind, pieces: readonly string[]) {
  const parser = new HeadParser(kind);
  for (const [i, piece] of pieces.entries()) {
    // Heads seldom start where their bytes do.
    const bytes = Buffer.from(`##${piece}`, 'latin1');
    const progress = parser.read(bytes, 2);
    if (progress === 'more') continue;
    const rest = bytes.toString('latin1', parser.end) + pieces.slice(i + 1).join('');
    const { method, target, httpVersion, status, reason, headers } = parser;
    return progress === 'done'
      ? { progress, method, target, httpVersion, status, reason, headers, rest }
      : { progress };
  }
  return { progress: 'more' };
}

/** Every way of cutting it in two, and into single octets. */
function cutsOf(text: string): string[][] {
  const halves = Array.from({ length: text.length + 1 }, (_, at) => [text.slice(0, at), text.slice(at)]);
  return [...halves, text.split('')];
}

describe('heads of requests', () => {
  test('are taken apart as they came', () => {
    const text = `\r\n\n\rPATCH http://w/a?b HTTP/1.1\r\nHOST:w\r\nX-a: \t1 , 2 \t\r\nx-A:\r\n__proto__: \xe9\t"\r\n\r\nbody`;
    expect(parse('request', [text])).toEqual({
      progress: 'done',
      method: 'PATCH',
      target: 'http://w/a?b',
      httpVersion: '1.1',
      status: 0,
      reason: '',
      headers: ['HOST', 'w', 'X-a', '1 , 2', 'x-A', '', '__proto__', '\xe9\t"'],
      rest: 'body',
    });
  });

  test('one follows another', () => {
    const parser = new HeadParser('request');
    const bytes = Buffer.from(`GET /a HTTP/1.1\r\n${H}\r\nPOST /b HTTP/1.0\r\n\r\nGET /c`);
    expect(parser.read(bytes, 0)).toBe('done');
    expect(parser.read(bytes, parser.end)).toBe('done');
    expect(parser).toMatchObject({ method: 'POST', target: '/b', httpVersion: '1.0', headers: [] });
    expect(parser.begun).toBe(false);
    expect(parser.read(bytes, parser.end)).toBe('more');
    expect(parser.begun).toBe(true);
  });

  test('empty lines are no beginning', () => {
    const parser = new HeadParser('request');
    expect(parser.read(Buffer.from('\r\n\r\n\n'), 0)).toBe('more');
    expect(parser.begun).toBe(false);
  });

  test.each([
    ['a space in front', ` GET / HTTP/1.1\r\n${H}\r\n`],
    ['no method', `/ HTTP/1.1\r\n${H}\r\n`],
    ['an unknown method', `GETT / HTTP/1.1\r\n${H}\r\n`],
    ['a method in small letters', `get / HTTP/1.1\r\n${H}\r\n`],
    ['two spaces before the target', `GET  / HTTP/1.1\r\n${H}\r\n`],
    ['two spaces behind the target', `GET /  HTTP/1.1\r\n${H}\r\n`],
    ['a tab before the target', `GET\t/ HTTP/1.1\r\n${H}\r\n`],
    ['no target', `GET HTTP/1.1\r\n${H}\r\n`],
    ['a target beyond ASCII', `GET /\xe9 HTTP/1.1\r\n${H}\r\n`],
    ['DEL in the target', `GET /\x7f HTTP/1.1\r\n${H}\r\n`],
    ['no version', 'GET /\r\n\r\n'],
    ['half a version', `GET / HTTP/1\r\n${H}\r\n`],
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${H}\r\n`],
    ['HTTP/1.10', `GET / HTTP/1.10\r\n${H}\r\n`],
    ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`],
    ['the version in small letters', `GET / http/1.1\r\n${H}\r\n`],
    ['a space behind the version', `GET / HTTP/1.1 \r\n${H}\r\n`],
    ['a bare LF behind the first line', `GET / HTTP/1.1\n${H}\r\n`],
    ['a bare CR behind the first line', `GET / HTTP/1.1\r${H}\r\n`],
    ['a bare LF behind a field', 'GET / HTTP/1.1\r\nHost: w\n\r\n'],
    ['a bare CR in a value', 'GET / HTTP/1.1\r\nHost: w\rX: 1\r\n\r\n'],
    ['two CRs', 'GET / HTTP/1.1\r\nHost: w\r\r\n\r\n'],
    ['a bare LF at the end', `GET / HTTP/1.1\r\n${H}\n`],
    ['a bare CR at the end', `GET / HTTP/1.1\r\n${H}\rX`],
    ['a space before a name', `GET / HTTP/1.1\r\n ${H}\r\n`],
    ['a space behind a name', 'GET / HTTP/1.1\r\nHost : w\r\n\r\n'],
    ['an empty name', 'GET / HTTP/1.1\r\n: w\r\n\r\n'],
    ['a name with a delimiter', 'GET / HTTP/1.1\r\nX(y): w\r\n\r\n'],
    ['a name beyond ASCII', 'GET / HTTP/1.1\r\nX\xe9: w\r\n\r\n'],
    ['no colon', 'GET / HTTP/1.1\r\nHost\r\n\r\n'],
    ['NUL in a value', 'GET / HTTP/1.1\r\nHost: w\0\r\n\r\n'],
    ['DEL in a value', 'GET / HTTP/1.1\r\nHost: w\x7f\r\n\r\n'],
    ['a vertical tab in a value', 'GET / HTTP/1.1\r\nHost: \x0bw\r\n\r\n'],
    ['a folded line', `GET / HTTP/1.1\r\nX: 1\r\n 2\r\n\r\n`],
    ['a folded line by tab', `GET / HTTP/1.1\r\nX: 1\r\n\t2\r\n\r\n`],
    ['a tab behind a coding', 'GET / HTTP/1.1\r\nA: b\r\ntransfer-Encoding: chunked \t \r\nB: c\t\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s is none', (_what, text) => {
    expect(parse('request', [text])).toEqual({ progress: 'bad' });
    for (const pieces of cutsOf(text)) expect(parse('request', pieces)).toEqual({ progress: 'bad' });
  });

  test('what can be none is told before all of it has come', () => {
    for (const text of [
      '\x16',
      'GET / HTTP/2',
      'GET / HTTP/1.1\n',
      'GET / HTTP/1.1\r\nX\n',
      'SSH-2.0-x\r\n',
    ]) {
      expect(parse('request', [text])).toEqual({ progress: 'bad' });
    }
  });

  test('may be so large and no larger, however they come', () => {
    const start = 'GET / HTTP/1.1\r\nX: ';
    const fill = (bytes: number) => `${start}${'x'.repeat(bytes - start.length - 4)}\r\n\r\n`;
    const largest = fill(MAX_HEAD_BYTES);
    expect(largest).toHaveLength(MAX_HEAD_BYTES);
    expect(parse('request', [`\r\n${largest}more`])).toMatchObject({ progress: 'done', rest: 'more' });
    expect(parse('request', [largest.slice(0, 9_000), largest.slice(9_000)]).progress).toBe('done');
    const larger = fill(MAX_HEAD_BYTES + 1);
    expect(parse('request', [larger])).toEqual({ progress: 'large' });
    expect(parse('request', [larger.slice(0, 16_000), larger.slice(16_000)])).toEqual({ progress: 'large' });
    expect(parse('request', [larger.slice(0, MAX_HEAD_BYTES)])).toEqual({ progress: 'large' });
    expect(parse('request', [larger.slice(0, MAX_HEAD_BYTES - 1)])).toEqual({ progress: 'more' });
  });
});

describe('heads of responses', () => {
  test.each([
    ['HTTP/1.1 200 OK\r\nA: b\r\n\r\n!', '1.1', 200, 'OK'],
    ['HTTP/1.0 299 Quite  F\xefne\t\r\nA: b\r\n\r\n!', '1.0', 299, 'Quite  F\xefne\t'],
    ['HTTP/1.1 404 \r\nA: b\r\n\r\n!', '1.1', 404, ''],
    ['HTTP/1.1 503\r\nA: b\r\n\r\n!', '1.1', 503, ''],
  ])('%j', (text, httpVersion, status, reason) => {
    const expected = { progress: 'done', httpVersion, status, reason, headers: ['A', 'b'], rest: '!' };
    for (const pieces of cutsOf(text)) expect(parse('response', pieces)).toMatchObject(expected);
  });

  test.each([
    'SSH-2.0-OpenSSH_9.2\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'HTTP/2.0 200 OK\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 2x0 OK\r\n\r\n',
    'HTTP/1.1 200\tOK\r\n\r\n',
    'HTTP/1.1 200 O\0K\r\n\r\n',
    'HTTP/1.1 200 OK\n\n',
    'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n',
  ])('%j is none', (text) => {
    for (const pieces of cutsOf(text)) expect(parse('response', pieces)).toEqual({ progress: 'bad' });
  });
});

describe('trailers', () => {
  test('are fields alone', () => {
    for (const pieces of cutsOf('A: b\r\nC:d\r\n\r\n!')) {
      expect(parse('trailers', pieces)).toMatchObject({ headers: ['A', 'b', 'C', 'd'], rest: '!' });
    }
    expect(parse('trailers', ['\r\n!'])).toMatchObject({ headers: [], rest: '!' });
    expect(parse('trailers', ['A: b\r\n c\r\n\r\n'])).toEqual({ progress: 'bad' });
  });
});

describe('heads in pieces', () => {
  const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}$/);
  const value = fc.stringMatching(/^(?:[!-~][\t -~\x80-\xff]{0,20}[!-~])?$/);
  const space = fc.stringMatching(/^[ \t]{0,3}$/);
  const field = fc.tuple(token, space, value, space);

  test('are what they are in one, and have the fields that were written', () => {
    const cuts = fc.array(fc.nat(), { maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(field, { maxLength: 12 }),
        cuts,
        fc.string({ maxLength: 9 }),
        (fields, at, rest) => {
          // What space may stand behind that is another matter.
          const plain = fields.filter(([name]) => !/^transfer-encoding$/i.test(name));
          const lines = plain.map(([name, before, text, behind]) => `${name}:${before}${text}${behind}\r\n`);
          const text = `DELETE /x HTTP/1.1\r\n${lines.join('')}\r\n${rest}`;
          const ends = at.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b);
          const pieces = [0, ...ends].map((start, i) => text.slice(start, ends[i] ?? text.length));
          expect(parse('request', pieces)).toMatchObject({
            progress: 'done',
            method: 'DELETE',
            target: '/x',
            headers: plain.flatMap(([name, , written]) => [name, written]),
            rest,
          });
        },
      ),
    );
  });
});
