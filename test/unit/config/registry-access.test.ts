import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { diffConfig } from '../../../src/config/diff.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';

const SECRET = '4a6d2f18-2f7b-4f0d-9d3e-0c5a1c7f1e55';

function load(registry: string, env: Readonly<Record<string, string>> = {}) {
  return parseConfig([{ file: 'v.yaml', text: `registry: ${registry}` }], {
    env,
    hostname: 'lb-1',
    cwd: '/',
  });
}

function problems(registry: string, env: Readonly<Record<string, string>> = {}): string {
  try {
    load(registry, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

describe('who may use the HTTP API without a token', () => {
  test.each([
    ['{}', 'admin'],
    ['{ http: "[::1]:8500" }', 'admin'],
    ['{ http: "localhost:8500", anonymous: read }', 'read'],
    ['{ http: ":8500", anonymous: admin }', 'admin'],
    ['{ http: ":8500", anonymous: read }', 'read'],
    [`{ http: ":8500", tokens: [{ token: ${SECRET}, policy: read }] }`, 'none'],
    [`{ tokens: [{ token: ${SECRET}, policy: read }] }`, 'none'],
    [`{ tokens: [{ token: ${SECRET}, policy: read }], anonymous: admin }`, 'admin'],
    ['{ http: off }', 'admin'],
  ])('%s: %s', (registry, anonymous) => {
    expect(load(registry).registry?.access.anonymous).toBe(anonymous);
  });

  test.each([':8500', '*:8500', '[::]:8500', '10.0.0.1:8500', 'lb.example:8500'])(
    'on %s it has to be said',
    (http) => {
      expect(problems(`{ http: "${http}" }`)).toMatch(
        /^v\.yaml:1:\d+: registry\.http: is reached from other machines: set registry\.tokens, or say/,
      );
    },
  );

  test('somebody must be able to do something', () => {
    expect(problems('{ anonymous: none }')).toContain('registry.anonymous: nobody could use the HTTP API');
  });

  test('what is not valid is told once', () => {
    expect(problems('{ http: ":8500", tokens: [] }').split('\n')).toHaveLength(1);
    expect(problems('{ http: ":8500", anonymous: nobody }').split('\n')).toHaveLength(1);
  });
});

describe('tokens', () => {
  const hash = createHash('sha256').update(SECRET).digest('hex');

  test('are kept as hashes only, with what they are for', () => {
    const config = load(
      `{ tokens: [{ token: "${SECRET}", policy: register, services: [web, "web-*"], nodes: [ext-*] },
                  { token: "${SECRET}", policy: read }] }`,
    );
    expect(config.registry?.access.grants).toEqual([
      { hash, policy: 'register', services: ['web', 'web-*'], keys: [], nodes: ['ext-*'] },
      { hash, policy: 'read', services: ['*'], keys: ['*'], nodes: [] },
    ]);
    expect(JSON.stringify(config)).not.toContain(SECRET);
  });

  test.each([
    ['{ policy: admin }', 'tokens[0].token'],
    ['{ token: "", policy: admin }', 'must have at least 16 characters'],
    ['{ token: 0123456789abcdef, policy: root }', 'expected read, register or admin'],
    [`{ token: ${SECRET}, policy: admin, keys: [a] }`, 'an admin token is for everything'],
    [`{ token: ${SECRET}, policy: read, nodes: [a] }`, 'every node can be read'],
    [`{ token: ${SECRET}, policy: read, services: [] }`, 'must not be empty'],
    [`{ token: ${SECRET}, policy: read, services: ["a*b"] }`, '* can only stand at the end'],
    [`{ token: ${SECRET}, policy: read, service: [a] }`, 'unknown key (did you mean services?)'],
  ])('%s: %s', (token, problem) => {
    expect(problems(`{ tokens: [${token}] }`)).toContain(problem);
  });

  test.each([
    ['too short', '[{ token: "s3cret", policy: read }]'],
    ['a number', '[{ token: VARIABLE, policy: read }]'],
    ['with a blank', '[{ token: "s3cret s3cret s3cret", policy: read }]'],
    ['a list', '[{ token: [s3cret], policy: read }]'],
    ['in place of an entry', '[s3cret-s3cret-s3cret]'],
    ['in place of the list', 's3cret-s3cret-s3cret'],
    ['as a mapping', '{ token: s3cret-s3cret-s3cret, policy: read }'],
  ])('are never shown, whatever is wrong with them: %s', (_name, tokens) => {
    const told = problems(`{ tokens: ${tokens.replace('VARIABLE', '31337313373133731')} }`);
    expect(told).toContain('registry.tokens');
    expect(told).not.toMatch(/s3cret|3133/);
  });

  test('are taken over while Vane runs, and a change does not tell them', () => {
    const from = load(`{ tokens: [{ token: ${SECRET}, policy: read }] }`);
    const to = load('{ allowed-hosts: [lb.example] }');
    const changes = diffConfig(from, to);
    expect(changes).toEqual([
      { kind: 'setting', path: 'registry.tokens' },
      { kind: 'setting', path: 'registry.anonymous' },
      { kind: 'setting', path: 'registry.allowed-hosts' },
    ]);
  });
});

describe('allowed hosts', () => {
  test('are read without their case', () => {
    const { registry } = load('{ allowed-hosts: [LB.example, .Corp.example] }');
    expect(registry?.access.allowedHosts).toEqual(['lb.example', '.corp.example']);
  });

  test.each(['""', '"*.example.com"', '"a b"', '"lb.example:8500"', '"."'])('%s is none', (host) => {
    expect(problems(`{ allowed-hosts: [${host}] }`)).toContain('expected a host name, or .example.com');
  });
});
