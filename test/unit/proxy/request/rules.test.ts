import { describe, expect, test } from 'vitest';
import type { RequestHead } from '../../../../src/proxy/lanes/lane.ts';
import { compileRules, type Ruled } from '../../../../src/proxy/request/rules.ts';
import { type Acls, frontendConfig, parseRule, requestHead, valuesOf } from '../fixtures.ts';

function apply(
  rules: readonly string[],
  head: RequestHead,
  { src = '192.0.2.7', acls = {} as Acls } = {},
): Ruled {
  const httpRequest = rules.map((rule) => parseRule(rule, acls));
  return compileRules(frontendConfig({ httpRequest }))(head, src);
}

/** The answer that a rule gave. */
function answer(rules: readonly string[], head = requestHead()) {
  const ruled = apply(rules, head);
  if (ruled.kind !== 'answer') throw new Error('no rule has answered');
  return ruled;
}

/** The request as the rules left it. */
function served(rules: readonly string[], head = requestHead()): RequestHead {
  const ruled = apply(rules, head);
  if (ruled.kind !== 'serve') throw new Error('a rule has answered');
  return ruled.head;
}

const location = (rules: readonly string[], head = requestHead()) =>
  valuesOf(answer(rules, head).response.headers, 'location');

test('without rules the request is left as it is', () => {
  const head = requestHead('POST', '/x?y');
  expect(apply([], head)).toEqual({ kind: 'serve', head });
});

describe('deny', () => {
  test('answers 403, or what it is told', () => {
    expect(answer(['deny'])).toMatchObject({ denied: true, response: { status: 403, close: false } });
    expect(answer(['deny deny_status 429'])).toMatchObject({ denied: true, response: { status: 429 } });
    expect(answer(['deny status 404']).response.body).toContain('404');
  });

  test.each([204, 205, 304])('gives no body where none may be: %i', (status) => {
    expect(answer([`deny status ${status}`]).response).toMatchObject({ status, body: '' });
  });

  test('only where its condition holds', () => {
    const rules = ['deny if { path_beg /admin } !{ src 10.0.0.0/8 }'];
    const admin = requestHead('GET', '/admin');
    expect(apply(rules, admin).kind).toBe('answer');
    expect(apply(rules, admin, { src: '10.1.1.1' }).kind).toBe('serve');
    expect(apply(rules, requestHead('GET', '/')).kind).toBe('serve');
  });
});

describe('return', () => {
  test('gives the text with its type', () => {
    expect(answer(['return status 200 content-type application/json string "{\\"a\\": 1}"'])).toEqual({
      kind: 'answer',
      denied: false,
      response: {
        status: 200,
        headers: ['content-type', 'application/json'],
        body: '{"a": 1}',
        close: false,
      },
    });
  });

  test('without a text has no type either', () => {
    expect(answer(['return status 204']).response).toMatchObject({ status: 204, headers: [], body: '' });
  });
});

describe('redirect', () => {
  const head = requestHead('GET', '/x/y?z=1', [['Host', 'a.example:8080']]);

  test.each([
    ['location http://b.example/', 'http://b.example/'],
    ['location /login?from=100%%25', '/login?from=100%25'],
    ['prefix http://b.example', 'http://b.example/x/y?z=1'],
    ['prefix http://b.example/sub', 'http://b.example/sub/x/y?z=1'],
    ['prefix /', '/x/y?z=1'],
    ['scheme https', 'https://a.example:8080/x/y?z=1'],
  ])('%s', (what, expected) => {
    expect(location([`redirect ${what}`], head)).toEqual([expected]);
  });

  test.each([
    ['prefix http://b.example', 'http://b.example/x?y'],
    ['prefix /', '/x?y'],
    ['scheme https', 'https://a.example/x?y'],
  ])('%s of an absolute target: %s', (what, expected) => {
    expect(location([`redirect ${what}`], requestHead('GET', 'http://a.example/x?y'))).toEqual([expected]);
  });

  test.each([
    ['prefix http://b.example', 'http://b.example/'],
    ['scheme https', 'https://a.example/'],
  ])('%s of a request about the whole server: %s', (what, expected) => {
    expect(location([`redirect ${what}`], requestHead('OPTIONS', '*'))).toEqual([expected]);
  });

  test.each(['//evil.example/x', '/\\evil.example', '///evil.example'])(
    'to the same place leads nowhere else: %s',
    (target) => {
      const base = 'http://a.example/';
      const [to = ''] = location(['redirect prefix /'], requestHead('GET', target));
      expect(new URL(to, base).host).toBe('a.example');
      expect(new URL(to, base).pathname).toBe(target.replace('\\', '/'));
    },
  );

  test.each([
    [301, false],
    [302, true],
    [303, true],
    [307, true],
    [308, false],
  ])('%i is to be forgotten by caches: %s', (code, forgotten) => {
    const { response } = answer([`redirect location / code ${code}`]);
    expect(response).toMatchObject({ status: code, body: '', close: false });
    expect(valuesOf(response.headers, 'cache-control')).toEqual(forgotten ? ['no-cache'] : []);
  });

  test('is 302 unless it says so, and no denial', () => {
    expect(answer(['redirect location /'])).toMatchObject({ denied: false, response: { status: 302 } });
  });
});

describe('changes of the request', () => {
  test('set-header replaces, add-header adds, del-header removes', () => {
    const head = requestHead('GET', '/', [
      ['x-a', '1'],
      ['X-A', '2'],
      ['B', '3'],
    ]);
    expect(served(['set-header X-A 4'], head).headers).toEqual(['B', '3', 'X-A', '4']);
    expect(served(['add-header X-A 4'], head).headers).toEqual([...head.headers, 'X-A', '4']);
    expect(served(['del-header x-A'], head).headers).toEqual(['B', '3']);
  });

  test('set-path keeps the query, and the site of an absolute target', () => {
    expect(served(['set-path /new'], requestHead('GET', '/old?a?b'))).toMatchObject({
      path: '/new',
      target: '/new?a?b',
    });
    expect(served(['set-path /new'], requestHead('GET', '/old'))).toMatchObject({ target: '/new' });
    expect(served(['set-path /new'], requestHead('GET', 'http://a.example?a'))).toMatchObject({
      path: '/new',
      target: 'http://a.example/new?a',
    });
    expect(served(['set-path /new'], requestHead('GET', '/http://x/'))).toMatchObject({ target: '/new' });
  });

  test('text beyond ASCII goes as UTF-8, octet by octet', () => {
    const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
    const head = served(['set-header X-A Zürich→', 'add-header X-B é', 'set-path /é']);
    expect(valuesOf(head.headers, 'x-a')).toEqual([utf8('Zürich→')]);
    expect(valuesOf(head.headers, 'x-b')).toEqual([utf8('é')]);
    expect(head).toMatchObject({ path: utf8('/é'), target: utf8('/é') });
    expect(location(['redirect location /→'])).toEqual([utf8('/→')]);
    const { response } = answer(['return content-type "text/plain; a=→" string →']);
    expect(response).toMatchObject({ headers: ['content-type', utf8('text/plain; a=→')], body: '→' });
  });

  test('the request that came is not touched', () => {
    const head = requestHead('GET', '/x');
    const copy = structuredClone(head);
    served(['set-header Host b', 'add-header A b', 'set-path /y'], head);
    expect(head).toEqual(copy);
  });
});

describe('rules in order', () => {
  test('the first one that answers ends it', () => {
    expect(answer(['return status 200 if { path /x }', 'deny status 401', 'deny status 402'])).toMatchObject({
      response: { status: 401 },
    });
  });

  test('each sees what those before it have changed', () => {
    expect(answer(['set-path /x', 'deny status 401 if { path /x }'])).toMatchObject({ denied: true });
    expect(answer(['set-header X-A 1', 'deny if { hdr(x-a) 1 }'])).toMatchObject({ denied: true });
    expect(
      served(['del-header X-A', 'deny if { hdr(x-a) -m found }'], requestHead('GET', '/', [['X-A', '']])),
    ).toBeDefined();
    expect(location(['set-path /y', 'redirect prefix http://b.example'], requestHead('GET', '/x?q'))).toEqual(
      ['http://b.example/y?q'],
    );
    expect(location(['set-header Host b.example', 'redirect scheme https'])).toEqual(['https://b.example/']);
    expect(served(['set-path /y', 'set-path /z if { url_beg /y? }'], requestHead('GET', '/x?q')).path).toBe(
      '/z',
    );
  });

  test('a change whose condition does not hold is not made', () => {
    const head = requestHead('GET', '/x');
    expect(served(['set-path /y unless { path /x }', 'set-header A b if { method POST }'], head)).toEqual(
      head,
    );
  });
});
