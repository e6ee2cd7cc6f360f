import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCookie } from '../../../../src/config/cookie-line.ts';
import type { CookieConfig } from '../../../../src/config/runtime/stickiness.ts';
import { judgeCookie } from '../../../../src/proxy/stick/cookie-request.ts';
import { type AnswerContext, answerCookie } from '../../../../src/proxy/stick/cookie-response.ts';
import { readClaim, serverValue, writeClaim } from '../../../../src/proxy/stick/cookie-value.ts';

function config(text: string): CookieConfig {
  const words = parseCookie(text);
  if (!words.ok) throw new Error(words.message);
  const { dynamic: _, ...cookie } = words.value;
  return { ...cookie, key: 'secret' };
}

const NOW = 1_790_000_000;
const SERVERS = new Map([
  ['s1', { id: 'one', usable: true }],
  ['s2', { id: 'two', usable: false }],
]);

function judge(text: string, cookie: string | undefined, ignored = false) {
  const headers = cookie === undefined ? [] : ['Cookie', cookie];
  const {
    state,
    server,
    headers: left,
  } = judgeCookie(config(text), headers, (value) => SERVERS.get(value), NOW, ignored);
  return `${state} ${server ?? '-'} ${left[1] ?? '-'}`;
}

describe('dates', () => {
  test('are read as they were written, rounded up to four seconds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 32 - 4 }),
        fc.integer({ min: 1, max: 2 ** 32 - 4 }),
        (last, first) => {
          const claim = readClaim(writeClaim('s1', last, first));
          expect(claim).toEqual({
            server: 's1',
            last: Math.ceil(last / 4) * 4,
            first: Math.ceil(first / 4) * 4,
          });
        },
      ),
    );
  });

  test('are written as HAProxy writes them', () => {
    expect(writeClaim('s1', 1_795_583_996, undefined)).toBe('s1|awZv/');
  });

  test.each(['s1', 's1|', 's1||', 's1|abc', 's1|!!!!!', 's1|äöüäö'])('%s has none', (value) => {
    expect(readClaim(value)).toEqual({ server: 's1', last: 0, first: 0 });
  });
});

describe('values of servers', () => {
  test('are the same for the same name and key, and tell nothing', () => {
    expect(serverValue('k', '10.0.0.1:80')).toBe(serverValue('k', '10.0.0.1:80'));
    expect(serverValue('k', '10.0.0.1:80')).toMatch(/^[0-9a-f]{16}$/);
    expect(serverValue('k', '10.0.0.1:80')).not.toBe(serverValue('other', '10.0.0.1:80'));
    expect(serverValue('k', 'web-1')).not.toBe(serverValue('k', 'web-2'));
  });
});

describe('a request', () => {
  const idle = (ago: number) => `SRV=${writeClaim('s1', NOW - ago, undefined)}`;
  const life = (ago: number) => `SRV=${writeClaim('s1', NOW, NOW - ago)}`;

  test.each([
    ['SRV insert', undefined, 'N - -'],
    ['SRV insert', 'a=1', 'N - a=1'],
    ['SRV insert', 'SRV=s1', 'V one SRV=s1'],
    ['SRV insert', 'SRV=s2', 'D - SRV=s2'],
    ['SRV insert', 'SRV=s3', 'I - SRV=s3'],
    ['SRV insert', 'SRV=', 'I - SRV='],
    ['SRV insert indirect', 'a=1; SRV=s1', 'V one a=1'],
    ['SRV insert indirect', 'SRV=s3', 'I - -'],
    ['SRV rewrite', 'SRV=s1', 'V one SRV=s1'],
    ['SRV prefix', 'SRV=s1~x', 'V one SRV=x'],
    ['SRV prefix', 'SRV=s1~a~b', 'V one SRV=a~b'],
    ['SRV prefix', 'SRV=s1', 'V one SRV=s1'],
    ['SRV prefix', 'SRV=s3~x; b=2', 'I - SRV=x; b=2'],
    ['SRV insert indirect maxidle 60', idle(50), 'V one -'],
    ['SRV insert indirect maxidle 60', idle(70), 'E - -'],
    ['SRV insert indirect maxidle 60', idle(-3_600), 'V one -'],
    ['SRV insert indirect maxidle 60', idle(-90_000), 'E - -'],
    ['SRV insert indirect maxidle 60', 'SRV=s1', 'V one -'],
    ['SRV insert indirect maxlife 60', life(50), 'V one -'],
    ['SRV insert indirect maxlife 60', life(70), 'O - -'],
  ])('%s with %s: %s', (text, cookie, verdict) => expect(judge(text, cookie)).toBe(verdict));

  test('for any server is judged by nothing but the age of its cookie', () => {
    expect(judge('SRV insert indirect', 'SRV=s1', true)).toBe('U - -');
    expect(judge('SRV insert indirect maxidle 60', idle(70), true)).toBe('E - -');
    expect(judge('SRV insert indirect', undefined, true)).toBe('N - -');
  });
});

describe('an answer', () => {
  const context: AnswerContext = {
    method: 'GET',
    own: 's1',
    direct: false,
    claim: { server: '', last: 0, first: 0 },
    ignored: false,
    now: NOW,
  };
  const answer = (text: string, headers: readonly string[] = [], changes: Partial<AnswerContext> = {}) =>
    answerCookie(config(text), headers, { ...context, ...changes });

  test.each([
    ['SRV insert', 'SRV=s1; path=/'],
    ['SRV insert httponly secure', 'SRV=s1; path=/; HttpOnly; Secure'],
    ['SRV insert domain .a.example domain b.example', 'SRV=s1; path=/; domain=.a.example; domain=b.example'],
    ['SRV insert attr SameSite=Lax attr Partitioned', 'SRV=s1; path=/; SameSite=Lax; Partitioned'],
    ['SRV insert maxidle 60', `SRV=${writeClaim('s1', NOW, undefined)}; path=/`],
    ['SRV insert maxlife 1h', `SRV=${writeClaim('s1', NOW, NOW)}; path=/`],
  ])('%s sets %s', (text, cookie) => {
    expect(answer(text)).toEqual({ headers: ['Set-Cookie', cookie], state: 'I' });
  });

  test('says nothing to who brings the right cookie', () => {
    expect(answer('SRV insert', ['A', 'b'], { direct: true })).toEqual({ headers: ['A', 'b'], state: 'N' });
  });

  test('renews dates, and keeps the day of the first', () => {
    const claim = { server: 's1', last: NOW - 100, first: NOW - 1_000 };
    const { headers, state } = answer('SRV insert maxidle 1h maxlife 10h', [], { direct: true, claim });
    expect(state).toBe('U');
    expect(headers[1]).toBe(`SRV=${writeClaim('s1', NOW, NOW - 1_000)}; path=/`);
    expect(
      answer('SRV insert maxidle 1h', [], { direct: true, claim: { ...claim, last: NOW + 2, first: 0 } }),
    ).toEqual({
      headers: [],
      state: 'N',
    });
  });

  test('with nocache says so beside the cookie, and only then', () => {
    expect(answer('SRV insert nocache').headers).toContain('Cache-Control');
    expect(answer('SRV insert nocache', [], { direct: true }).headers).toEqual([]);
    const uncached = ['Cache-Control', 'max-age=0, no-store'];
    expect(answer('SRV insert nocache', uncached).headers).not.toContain('private');
    expect(answer('SRV insert nocache', [], { method: 'POST' }).headers).not.toContain('private');
  });

  test('sets it only after POST with postonly, and never for requests that any server may serve', () => {
    expect(answer('SRV insert postonly').state).toBe('N');
    expect(answer('SRV insert postonly', [], { method: 'POST' }).state).toBe('I');
    expect(answer('SRV insert', [], { ignored: true }).state).toBe('N');
  });

  const OWN = ['Set-Cookie', 'SRV=theirs; Path=/x', 'set-cookie', 'b=1'];

  test.each([
    ['SRV insert', false, ['set-cookie', 'b=1', 'Set-Cookie', 'SRV=s1; path=/'], 'I'],
    ['SRV insert', true, ['set-cookie', 'b=1'], 'D'],
    ['SRV insert preserve', false, OWN, 'P'],
    ['SRV rewrite', false, ['Set-Cookie', 'SRV=s1; Path=/x', 'set-cookie', 'b=1'], 'R'],
    ['SRV prefix indirect', true, ['set-cookie', 'b=1'], 'D'],
    ['SRV prefix', false, ['Set-Cookie', 'SRV=s1~theirs; Path=/x', 'set-cookie', 'b=1'], 'R'],
  ])('%s where the server sets it itself (direct: %s)', (text, direct, headers, state) => {
    expect(answer(text, OWN, { direct })).toEqual({ headers, state });
  });

  test('of a server that sets none passes untouched by rewrite and prefix', () => {
    const headers = ['Set-Cookie', 'SRVX=1', 'Set-Cookie', 'other=SRV=1'];
    for (const text of ['SRV rewrite', 'SRV prefix']) expect(answer(text, headers).headers).toBe(headers);
  });
});
