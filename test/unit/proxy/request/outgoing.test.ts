import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RequestHead } from '../../../../src/proxy/lanes/lane.ts';
import { outgoing } from '../../../../src/proxy/request/outgoing.ts';
import { compileRules } from '../../../../src/proxy/request/rules.ts';
import { CLIENT, frontendConfig, namesOf, parseRule, requestHead, valuesOf } from '../fixtures.ts';

function prepare(head: RequestHead, { rules = [] as readonly string[], forwardfor = false } = {}) {
  const httpRequest = rules.map((rule) => parseRule(rule));
  return outgoing(head, CLIENT, forwardfor, compileRules(frontendConfig({ httpRequest })));
}

function sent(head: RequestHead, options: Parameters<typeof prepare>[1] = {}) {
  const prepared = prepare(head, options);
  if (prepared.kind !== 'serve') throw new Error('answered');
  return prepared;
}

test('what is for the server goes there, and nothing else', () => {
  const head = requestHead('POST', '/x?y', [
    ['Host', 'a.example'],
    ['Connection', 'keep-alive, X-Private'],
    ['X-Private', 'x'],
    ['Content-Length', '3'],
    ['Expect', '100-continue'],
    ['cookie', 'a=b'],
  ]);
  expect(sent(head)).toMatchObject({
    target: '/x?y',
    headers: ['Host', 'a.example', 'cookie', 'a=b'],
  });
});

test('the target goes in the form for servers, and its authority as Host', () => {
  const absolute = requestHead('GET', 'http://a.example/x?y', [], { httpVersion: '1.0' });
  expect(sent(absolute)).toMatchObject({ target: '/x?y', headers: ['Host', 'a.example'] });
  expect(sent(requestHead('OPTIONS', 'http://a.example', [['Host', 'a.example']]))).toMatchObject({
    target: '*',
    headers: ['Host', 'a.example'],
  });
  expect(sent(absolute, { rules: ['set-path /z'] }).target).toBe('/z?y');
  expect(sent(absolute, { rules: ['del-header Host'] }).headers).toEqual([]);
});

test('a rule that answers ends it', () => {
  expect(prepare(requestHead(), { rules: ['deny'] })).toMatchObject({ kind: 'answer', denied: true });
});

describe('forwardfor', () => {
  test('says where a request comes from, behind what the rules have said', () => {
    const { headers } = sent(requestHead(), { rules: ['set-header X-A b'], forwardfor: true });
    expect(namesOf(headers)).toEqual([
      'Host',
      'X-Forwarded-Proto',
      'X-Forwarded-Host',
      'X-A',
      'X-Forwarded-For',
    ]);
    expect(valuesOf(headers, 'x-forwarded-for')).toEqual([CLIENT.address]);
  });

  test('rules may say another scheme, and see the one that is said', () => {
    const rules = ['set-header X-Forwarded-Proto https if { hdr(x-forwarded-proto) http }'];
    expect(valuesOf(sent(requestHead(), { rules, forwardfor: true }).headers, 'x-forwarded-proto')).toEqual([
      'https',
    ]);
  });

  test('the address we know stands last, whatever the client claims', () => {
    const head = requestHead('GET', '/', [
      ['X-Forwarded-For', '127.0.0.1'],
      ['X_Forwarded_For', '127.0.0.1'],
      ['Connection', 'x-forwarded-for, x-forwarded-proto'],
    ]);
    const { headers } = sent(head, { forwardfor: true });
    expect(valuesOf(headers, 'x-forwarded-for')).toEqual(['127.0.0.1', CLIENT.address]);
    expect(valuesOf(headers, 'x-forwarded-proto')).toEqual(['http']);
    expect(valuesOf(headers, 'x_forwarded_for')).toEqual([]);
  });

  test('off, nothing is said', () => {
    expect(namesOf(sent(requestHead()).headers)).toEqual(['Host']);
  });
});

describe('a client that names fields in Connection', () => {
  test('cannot have removed what a rule adds (CVE-2024-45410)', () => {
    const head = requestHead('GET', '/', [
      ['Host', 'a.example'],
      ['Connection', 'X-Authenticated, X-Role'],
      ['X-Role', 'admin'],
    ]);
    const { headers } = sent(head, { rules: ['set-header X-Authenticated no', 'add-header X-Role guest'] });
    expect(valuesOf(headers, 'x-authenticated')).toEqual(['no']);
    expect(valuesOf(headers, 'x-role')).toEqual(['guest']);
  });

  test('does not hide from rules what servers get, nor the other way round', () => {
    const field = fc.constantFrom('X-A', 'x-b', 'Cookie', 'Host', 'Upgrade', 'Authorization');
    const fields = fc.array(fc.tuple(field, fc.constantFrom('', '1')), { maxLength: 5 });
    fc.assert(
      fc.property(fields, fc.array(field), field, (fields, listed, asked) => {
        const head = requestHead('GET', '/', [...fields, ['Connection', listed.join(', ')]]);
        const seen = prepare(head, { rules: [`deny if { hdr(${asked}) -m found }`] }).kind === 'answer';
        const got = valuesOf(sent(head).headers, asked).length > 0;
        // What is of the connection only, rules may ask for though no server gets it.
        if (asked !== 'Upgrade') expect(seen).toBe(got);
      }),
    );
  });
});

test('only what a rule has changed is said to need another look', () => {
  const vetted = (...rules: string[]) =>
    sent(requestHead('GET', '/x?y', [['Host', 'a.example']]), { rules, forwardfor: true }).vetted;
  expect(vetted()).toBe(true);
  expect(vetted('deny if { path /other }')).toBe(true);
  expect(vetted('set-header X-A b')).toBe(false);
  expect(vetted('add-header X-A b')).toBe(false);
  expect(vetted('del-header X-A')).toBe(false);
  expect(vetted('set-path /z')).toBe(false);
});
