import type { HttpCheck, HttpExpect } from '../config/runtime/server-checks.ts';
import {
  type DialogueAddress,
  type DialogueTimes,
  dialogueProbe,
  type Finding,
  type Script,
} from './dialogue.ts';
import { hostPort } from './network-errors.ts';
import type { Probe } from './probe.ts';

/** The reason is the server's to choose; more of it than this helps nobody. */
const LONGEST_INFO = 100;
const STATUS_LINE = /^HTTP\/\d\.\d (\d{3})(?: ([^\r\n]*))?\r?\n/;
const LONGEST_STATUS_LINE = 4_096;

/**
 * HAProxy's `option httpchk`: any 2xx or 3xx is good unless `http-check expect` says what is. No more of the answer is
 * read than that takes. The output is what HAProxy shows as `last_chk`: nothing if it is good, else the reason phrase,
 * what was expected, or what the system said.
 */
export function httpchkProbe(at: DialogueAddress, check: HttpCheck, times?: DialogueTimes): Probe {
  return dialogueProbe(at, httpScript(check, hostPort(at.host, at.port)), times);
}

/** @param host what the server is called where the check sends no header that says it */
export function httpScript(check: HttpCheck, host: string): Script {
  const opening = Buffer.from(requestOf(check, host), 'utf8');
  const expect = (check.expect ?? []).map(compiled);
  const talk = {
    opening,
    hear: (received: Buffer, ended: boolean) => judge(received, ended, expect, check.disableOn404 === true),
  };
  return () => talk;
}

function requestOf(
  { method, uri, version = '1.1', headers = [], body = '' }: HttpCheck,
  host: string,
): string {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const own: (readonly [string, string])[] = [];
  if (version === '1.1' && !given.has('host')) own.push(['Host', host]);
  if (!given.has('connection')) own.push(['Connection', 'close']);
  if (body !== '' && !given.has('content-length')) {
    own.push(['Content-Length', String(Buffer.byteLength(body))]);
  }
  const lines = [...own, ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${uri} HTTP/${version}\r\n${lines.join('')}\r\n${body}`;
}

interface Expectation {
  readonly about: 'status' | 'body';
  readonly negated: boolean;
  readonly holds: (of: string) => boolean;
  /** In the words of HAProxy's `last_chk`. */
  readonly failed: string;
}

function compiled(expect: HttpExpect): Expectation {
  const { negated } = expect;
  switch (expect.kind) {
    case 'status': {
      const holds = (status: string) =>
        expect.ranges.some(([from, to]) => Number(status) >= from && Number(status) <= to);
      return { about: 'status', negated, holds, failed: '' };
    }
    case 'rstatus': {
      const pattern = new RegExp(expect.pattern);
      return { about: 'status', negated, holds: (status) => pattern.test(status), failed: '' };
    }
    case 'string':
      return {
        about: 'body',
        negated,
        holds: (body) => body.includes(expect.text),
        failed: negated ? 'HTTP check matched unwanted content' : 'HTTP check did not match content',
      };
    case 'rstring': {
      const pattern = new RegExp(expect.pattern);
      return {
        about: 'body',
        negated,
        holds: (body) => pattern.test(body),
        failed: negated ? 'HTTP check matched unwanted content' : 'HTTP check did not match content',
      };
    }
  }
}

function judge(
  received: Buffer,
  ended: boolean,
  expect: readonly Expectation[],
  disableOn404: boolean,
): Finding | undefined {
  const lineEnd = received.indexOf(0x0a);
  if (lineEnd < 0 && received.length <= LONGEST_STATUS_LINE && !ended) return undefined;
  const match = STATUS_LINE.exec(received.toString('latin1', 0, lineEnd + 1));
  if (!match) {
    const info = ended && received.length === 0 ? 'Connection closed' : 'Invalid response';
    return { good: false, code: 'L7RSP', info };
  }
  const [, statusText = '', reason = ''] = match;
  const status = Number(statusText);
  if (disableOn404 && status === 404) {
    return { good: true, code: 'L7OKC', info: reason.slice(0, LONGEST_INFO), status, notFound: true };
  }
  const byStatus = expect.filter(({ about }) => about === 'status');
  const byBody = expect.filter(({ about }) => about === 'body');
  // With something to be found in the body any status will do, as in HAProxy.
  const good = expect.length > 0 || (status >= 200 && status <= 399);
  if (!good || byStatus.some(({ negated, holds }) => holds(statusText) === negated)) {
    return { good: false, code: 'L7STS', info: reason.slice(0, LONGEST_INFO), status };
  }
  if (byBody.length > 0) {
    const body = bodyOf(received, ended);
    if (body === undefined) return undefined;
    for (const { negated, holds, failed } of byBody) {
      const found = holds(body.text);
      // What is wanted may be had before the end; that something is not there is known at the end only.
      if (found !== negated && (found || body.whole)) continue;
      if (!found && !body.whole) return undefined;
      return { good: false, code: 'L7RSP', info: failed, status };
    }
  }
  return { good: true, code: 'L7OK', info: '', status };
}

/** Of the answer as it came, chunks and all; undefined: its head is not whole. */
function bodyOf(received: Buffer, ended: boolean): { text: string; whole: boolean } | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return ended ? { text: '', whole: true } : undefined;
  const head = received.toString('latin1', 0, end);
  const text = received.toString('utf8', end + 4);
  const length = /^content-length:\s*(\d+)\s*$/im.exec(head)?.[1];
  const chunked = /^transfer-encoding:.*chunked\s*$/im.test(head);
  const whole =
    ended ||
    (length !== undefined && received.length - end - 4 >= Number(length)) ||
    (chunked && text.endsWith('0\r\n\r\n'));
  return { text, whole };
}
