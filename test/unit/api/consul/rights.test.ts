import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rights } from '../../../../src/api/consul/rights.ts';

const grant = (policy: 'read' | 'register' | 'admin', names: readonly string[]) => ({
  ...{ policy, services: names, keys: names, nodes: names },
});

describe('names', () => {
  const rights = new Rights([grant('register', ['web', 'web-*', 'Team/*'])]);

  test.each([
    ['web', true, true],
    ['web-', true, true],
    ['web-1', true, true],
    ['web1', false, false],
    ['we', false, false],
    ['', false, false],
    ['WEB-1', true, false],
    ['team/a', true, false],
    ['Team/a', true, true],
  ])('%j: service %j, key %j; only keys have a case', (name, service, key) => {
    expect(rights.registersService(name)).toBe(service);
    expect(rights.readsService(name)).toBe(service);
    expect(rights.writesNode(name)).toBe(service);
    expect(rights.writesKey(name)).toBe(key);
    expect(rights.readsKey(name)).toBe(key);
  });

  test.each([
    ['web-', true],
    ['web-1/', true],
    ['Team/', true],
    ['web', false],
    ['Team', false],
    ['', false],
  ])('all keys under %j: %j', (prefix, allowed) => {
    expect(rights.writesKeysUnder(prefix)).toBe(allowed);
  });

  test('* is all', () => {
    const all = new Rights([grant('register', ['*'])]);
    expect([all.writesKey(''), all.writesKeysUnder('a'), all.registersService('x'), all.admin]).toEqual(
      // Everything there is, and yet not the process.
      [true, true, true, false],
    );
  });

  test.each<[string, boolean]>([
    ['*', false],
    ['_*', false],
    ['_vane/servers/web/*', true],
  ])('%s allows to order what Vane does: %j', (pattern, allowed) => {
    const some = new Rights([grant('register', [pattern])]);
    expect(some.writesKey('_vane/servers/web/a')).toBe(allowed);
    expect(some.writesKeysUnder('_vane/servers/web/')).toBe(allowed);
    expect(some.readsKey('_vane/servers/web/a')).toBe(true);
    for (const prefix of ['', '_v', '_vane/']) expect(some.writesKeysUnder(prefix)).toBe(false);
    const admin = new Rights([grant('admin', [])]);
    expect(admin.writesKey('_vane/servers/web/a') && admin.writesKeysUnder('')).toBe(true);
  });
});

test('who may only read writes nothing, and without a grant nothing is seen', () => {
  const reader = new Rights([grant('read', ['*'])]);
  expect(reader).toMatchObject({ admin: false, reads: true, registers: false });
  expect([reader.readsKey('a'), reader.writesKey('a'), reader.registersService('a')]).toEqual([
    true,
    false,
    false,
  ]);
  expect(reader.writesNode('a') || reader.writesKeysUnder('a')).toBe(false);
  expect(new Rights([])).toMatchObject({ admin: false, reads: false, registers: false });
});

const GRANTS = fc.array(
  fc.record({
    policy: fc.constantFrom('read', 'register', 'admin'),
    ...{ services: patterns(), keys: patterns(), nodes: patterns() },
  }),
);

function patterns() {
  return fc.array(fc.stringMatching(/^[ab]{0,3}\*?$/).filter((pattern) => pattern !== ''));
}

function allowed(rights: Rights, name: string) {
  return [
    rights.readsService(name),
    rights.registersService(name),
    rights.readsKey(name),
    rights.writesKey(name),
    rights.writesKeysUnder(name),
    rights.writesNode(name),
  ];
}

test('several grants allow exactly what one of them allows', () => {
  fc.assert(
    fc.property(GRANTS, fc.stringMatching(/^[ab]{0,4}$/), (grants, name) => {
      const alone = grants.map((one) => allowed(new Rights([one]), name));
      const together = allowed(new Rights(grants), name);
      expect(together).toEqual(together.map((_, i) => alone.some((one) => one[i])));
    }),
  );
});

test('who may write may also see, and all keys under a beginning are each of them', () => {
  fc.assert(
    fc.property(
      GRANTS,
      fc.stringMatching(/^[ab]{0,3}$/),
      fc.stringMatching(/^[ab]{0,3}$/),
      (grants, a, b) => {
        const rights = new Rights(grants);
        if (rights.writesKey(a)) expect(rights.readsKey(a)).toBe(true);
        if (rights.registersService(a)) expect(rights.readsService(a)).toBe(true);
        if (rights.writesKeysUnder(a)) expect(rights.writesKey(a + b)).toBe(true);
      },
    ),
  );
});
