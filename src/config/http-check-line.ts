import { wordsOf } from './keyword-line.ts';
import { didYouMean } from './nearest.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';
import { compileRegex } from './rules/regex.ts';
import type { Word } from './rules/words.ts';
import type { HttpCheck, HttpExpect, TcpCheckStep } from './runtime/server-checks.ts';

/** One entry of `http-check` (HAProxy configuration manual, section 4.2). */
export type HttpCheckRule =
  | { readonly kind: 'disable-on-404' }
  | ({ readonly kind: 'send' } & Partial<HttpCheck>)
  | { readonly kind: 'expect'; readonly expect: HttpExpect };

const RULES = ['send', 'expect', 'disable-on-404'] as const;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const HEADER_VALUE = /^[^\r\n\0]*$/;
export const HTTP_METHOD = /^[A-Z]+$/;
export const HTTP_URI = /^(?:\*$|\/[!-~]*$)/;

/** `send meth GET uri /health hdr Host example.com`, `expect status 200-299`, `expect ! string error`, `disable-on-404`. */
export function parseHttpCheck(text: string): Parsed<HttpCheckRule> {
  const words = wordsOf(text);
  if (!words.ok) return words;
  const [first, ...rest] = words.value;
  switch (first?.text) {
    case 'disable-on-404':
      return rest[0] ? unexpected(rest[0]) : parsed({ kind: 'disable-on-404' });
    case 'send':
      return parseSend(rest, first);
    case 'expect': {
      const expect = parseExpect(rest, first);
      return expect.ok ? parsed({ kind: 'expect', expect: expect.value }) : expect;
    }
    default:
      return unknown(first, RULES);
  }
}

function parseSend(words: readonly Word[], first: Word): Parsed<HttpCheckRule> {
  const headers: (readonly [string, string])[] = [];
  const given = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) {
    const [keyword, value, second] = [words[i], words[i + 1], words[i + 2]];
    if (!keyword) break;
    if (!SEND.some((known) => known === keyword.text)) return unknown(keyword, SEND);
    if (!value) return unparsed(`${keyword.text} lacks its value`, keyword.offset);
    if (keyword.text !== 'hdr') {
      if (given.has(keyword.text)) return unparsed(`${keyword.text} is given twice`, keyword.offset);
      const wrong = wrongIn(keyword.text, value.text);
      if (wrong) return unparsed(wrong, value.offset);
      given.set(keyword.text, value.text);
      continue;
    }
    if (!second) return unparsed('expected hdr NAME VALUE', keyword.offset);
    if (!HEADER_NAME.test(value.text)) return unparsed('expected the name of a header', value.offset);
    if (!HEADER_VALUE.test(second.text)) return unparsed('a header is one line', second.offset);
    headers.push([value.text, second.text]);
    i++;
  }
  const [method, uri, version, body] = ['meth', 'uri', 'ver', 'body'].map((name) => given.get(name));
  if (given.size === 0 && headers.length === 0) return unparsed('send says nothing', first.offset);
  return parsed({
    kind: 'send',
    ...(method === undefined ? {} : { method }),
    ...(uri === undefined ? {} : { uri }),
    ...(version === undefined ? {} : { version: version === 'HTTP/1.0' ? '1.0' : '1.1' }),
    ...(headers.length === 0 ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
  });
}

const SEND = ['meth', 'uri', 'ver', 'hdr', 'body'] as const;

function wrongIn(keyword: string, text: string): string | undefined {
  const found = `found ${JSON.stringify(text)}`;
  if (keyword === 'meth' && !HTTP_METHOD.test(text)) return `expected a method such as GET, ${found}`;
  if (keyword === 'uri' && !HTTP_URI.test(text)) return `expected a URI from "/" on, ${found}`;
  if (keyword === 'ver' && text !== 'HTTP/1.0' && text !== 'HTTP/1.1') {
    return `expected HTTP/1.0 or HTTP/1.1, ${found}`;
  }
  return undefined;
}

const EXPECT = ['status', 'rstatus', 'string', 'rstring'] as const;

function parseExpect(words: readonly Word[], first: Word): Parsed<HttpExpect> {
  const negated = words[0]?.text === '!' && words[0].bare;
  const [kind, value, extra] = negated ? words.slice(1) : words;
  if (!kind) return unparsed(`expected one of ${EXPECT.join(', ')}`, first.offset);
  const known = EXPECT.find((one) => one === kind.text);
  if (!known) return unknown(kind, EXPECT);
  if (!value) return unparsed(`${kind.text} lacks what is expected`, kind.offset);
  if (extra) return unexpected(extra);
  switch (known) {
    case 'status': {
      const ranges = rangesOf(value.text);
      if (ranges) return parsed({ kind: 'status', negated, ranges });
      return unparsed('expected statuses from 100 to 599, such as 200-299,304', value.offset);
    }
    case 'string':
      return parsed({ kind: 'string', negated, text: value.text });
    default: {
      const wrong = wrongPattern(value.text);
      if (wrong) return unparsed(wrong, value.offset);
      return parsed({ kind: known, negated, pattern: value.text });
    }
  }
}

function rangesOf(text: string): (readonly [number, number])[] | undefined {
  const ranges = text.split(',').map((part) => /^(\d{3})(?:-(\d{3}))?$/.exec(part));
  const numbers: (readonly [number, number])[] = [];
  for (const range of ranges) {
    const [from, to] = [Number(range?.[1]), Number(range?.[2] ?? range?.[1])];
    if (!range || from < 100 || to > 599 || from > to) return undefined;
    numbers.push([from, to]);
  }
  return numbers;
}

const TCP_RULES = ['connect', 'send', 'expect'] as const;
const TCP_EXPECT = ['string', 'rstring'] as const;

/** One entry of `tcp-check`: `connect`, `send "PING\r\n"`, `expect string +PONG`, `expect ! rstring ^-ERR`. */
export function parseTcpCheck(text: string): Parsed<TcpCheckStep | 'connect'> {
  const words = wordsOf(text);
  if (!words.ok) return words;
  const [rule, ...rest] = words.value;
  const [value] = rest;
  if (rule?.text === 'connect') return value ? unexpected(value) : parsed('connect');
  if (rule?.text === 'send') {
    if (!value) return unparsed('send lacks what is to be sent', rule.offset);
    return rest[1] ? unexpected(rest[1]) : parsed({ kind: 'send', bytes: bytesOf(value.text) });
  }
  if (rule?.text !== 'expect') return unknown(rule, TCP_RULES);
  const negated = value?.text === '!' && value.bare;
  const [by, wanted, extra] = negated ? rest.slice(1) : rest;
  if (!by) return unparsed(`expected one of ${TCP_EXPECT.join(', ')}`, rule.offset);
  if (by.text !== 'string' && by.text !== 'rstring') return unknown(by, TCP_EXPECT);
  if (!wanted) return unparsed(`${by.text} lacks what is expected`, by.offset);
  if (extra) return unexpected(extra);
  if (by.text === 'string')
    return parsed({ kind: 'expect', negated, by: 'string', bytes: bytesOf(wanted.text) });
  const wrong = wrongPattern(wanted.text);
  if (wrong) return unparsed(wrong, wanted.offset);
  return parsed({ kind: 'expect', negated, by: 'rstring', pattern: wanted.text });
}

/** What is written as text is sent in UTF-8, and `\xNN` is that byte. */
function bytesOf(text: string): string {
  return [...text].map((char) => (char <= '\xff' ? char : Buffer.from(char).toString('latin1'))).join('');
}

function wrongPattern(pattern: string): string | undefined {
  try {
    compileRegex(pattern, false);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'not a regular expression';
  }
}

function unknown(word: Word | undefined, known: readonly string[]): Parsed<never> {
  const what = word ? `unknown ${word.text}; ` : '';
  return unparsed(
    `${what}expected one of ${known.join(', ')}`,
    word?.offset,
    word && didYouMean(word.text, known),
  );
}

function unexpected(word: Word): Parsed<never> {
  return unparsed(`expected nothing more, found ${word.text}`, word.offset);
}
